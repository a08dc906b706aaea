"""What tests of whole classes share."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture
def short_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the programs use a temporary folder of their own, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="class-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield
