"""Measures which lines of a service its tests run: a plugin of `own_tests_runner`, and one of pytest.

It runs in the environment of a submission. A copy of coverage.py lies beside it, and nothing of the repository's own
configuration is read. The file `sitecustomize.py`, which lies there too, measures programs that the tests start.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Generator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
CONFIGURATION = HERE / "coveragerc"
PROBE = HERE / "probe"
"""Holds the path of a module of the grader's."""


def prepare() -> None:
    """Import nothing: what is imported before coverage.py is not measured."""


def put(source: str) -> None:
    """Measure what runs of the folder `source` from now on, in this process and in programs that it starts."""
    sys.path.insert(0, str(HERE))
    with CONFIGURATION.open("a", encoding="utf-8") as file:
        file.write(_configuration(Path(source).resolve()))
    _lead_here(os.environ)
    os.environ["PYTEST_ADDOPTS"] = f"{os.environ.get('PYTEST_ADDOPTS', '')} -p {Path(__file__).stem}"
    _lead_programs_here()

    import coverage  # noqa: PLC0415 - the copy that lies here

    coverage.process_startup()
    _run(Path(PROBE.read_text(encoding="utf-8")))


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Keep pytest-cov from measuring as well: its tracer would take the place of this one."""
    if hasattr(early_config.known_args_namespace, "cov_source"):
        early_config.known_args_namespace.cov_source = None
    yield


def _configuration(source: Path) -> str:
    """Return what depends on this environment, and ends the section `run`."""
    names = (path.parent.name for path in source.glob("*/__init__.py"))
    packages = [name for name in names if name.isidentifier()]
    lines = [f"data_file = {HERE}/data/coverage", f"source = {source}"]
    lines += [f"source_pkgs = {','.join(packages)}"] if packages else []
    if importlib.util.find_spec("coverage.tracer"):
        has_greenlets = importlib.util.find_spec("greenlet") is not None
        lines.append(f"concurrency = thread{',greenlet' if has_greenlets else ''}")
    elif hasattr(sys, "monitoring"):
        lines.append("core = sysmon")
    return "\n".join([*lines, ""])


def _lead_here(variables: MutableMapping[str, str]) -> None:
    before = variables.get("PYTHONPATH")
    variables["PYTHONPATH"] = f"{HERE}{os.pathsep}{before}" if before else str(HERE)
    variables["COVERAGE_PROCESS_START"] = str(CONFIGURATION)


def _lead_programs_here() -> None:
    """Measure programs that are started with an environment of their own, too."""
    start = subprocess.Popen.__init__

    def start_measured(self: subprocess.Popen[Any], *args: Any, **options: Any) -> None:
        if options.get("env") is not None:
            options["env"] = dict(options["env"])
            _lead_here(options["env"])
        start(self, *args, **options)

    subprocess.Popen.__init__ = start_measured  # type: ignore[method-assign]


def _run(probe: Path) -> None:
    spec = importlib.util.spec_from_file_location("probe", probe.resolve())
    assert spec
    assert spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
