from pathlib import Path

import pytest

from grading.report import Report
from tests.grading.formats.samples import NAMES, sample

_SAMPLES: dict[str, Report] = {}


@pytest.fixture(params=NAMES)
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Report:
    """One report of every sort."""
    if request.param not in _SAMPLES:
        _SAMPLES[request.param] = sample(request.param, tmp_path)
    return _SAMPLES[request.param]


@pytest.fixture
def starter(tmp_path: Path) -> Report:
    return sample("starter", tmp_path)


@pytest.fixture
def unfetched(tmp_path: Path) -> Report:
    return sample("unfetched", tmp_path)
