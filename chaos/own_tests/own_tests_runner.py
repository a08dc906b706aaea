"""Runs the tests of a repository once for each fault, each time in a process of its own.

`python -E RUNNER FOLDER PLUGIN FAULT...` runs in the environment of a submission, in its repository, with nothing of the
grader's but this file. For fault number N it writes pytest's report to `N.xml`, and at the end the exit codes to
`codes.json`, both in FOLDER. PLUGIN is a Python file, or empty: its `prepare` imports once what every run needs, its `put`
puts a fault into the service before the tests are collected.
"""

import contextlib
import importlib.util
import json
import multiprocessing
import os
import sys
from types import ModuleType
from typing import Any

NO_PYTEST = 72
OPTIONS = (
    *("-q", "--tb=short", "--maxfail=0", "-o", "junit_family=xunit1"),
    # A file that cannot be imported is one failure among the others.
    "--continue-on-collection-errors",
    # The last -m and -k count: the configuration's own could leave tests out.
    *("-m", "", "-k", ""),
    # What is imported before pytest looks for plugins cannot be rewritten, and need not be.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
WHOLE_RUN: dict[str, object] = {
    "dist": "no",
    "numprocesses": None,
    "tx": [],
    "stepwise": False,
    "stepwise_skip": False,
}
"""The options of pytest-xdist and of --stepwise as they are when nobody uses them."""


def main(folder: str, path: str, *faults: str) -> None:
    """Run the tests in `tests/` for each fault; an empty one is the service as it is."""
    with contextlib.suppress(ValueError):
        sys.path.remove(os.path.dirname(__file__))  # noqa: PTH120
    if not _has_pytest():
        sys.exit(NO_PYTEST)
    sys.dont_write_bytecode = True
    before = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [os.getcwd(), *before]  # noqa: PTH109 - as `python -m pytest` does
    plugin = _load(path) if path else None
    if plugin:
        plugin.prepare()
    codes = []
    for number, fault in enumerate(faults):
        run = multiprocessing.get_context("fork").Process(
            target=_run,
            args=(os.path.join(folder, f"{number}.xml"), plugin, fault),  # noqa: PTH118
        )
        run.start()
        run.join()
        codes.append(run.exitcode)
    with open(os.path.join(folder, "codes.json"), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH123
        json.dump(codes, file)


def _has_pytest() -> bool:
    """Import pytest, and say whether it is the environment's: a module of the repository's could report what it likes."""
    try:
        import pytest  # noqa: PLC0415 - a repository may have none
    except ImportError:
        return False
    return os.path.realpath(pytest.__file__).startswith(os.path.realpath(sys.prefix) + os.sep)


def _run(report: str, plugin: ModuleType | None, fault: str) -> None:
    import pytest  # noqa: PLC0415 - as above

    if plugin and fault:
        plugin.put(fault)
    # Files in the report are relative to the root; pytest takes that of a configuration in tests/ otherwise. The cache is
    # empty, because options such as --last-failed choose by it.
    places = ("--rootdir", os.getcwd(), "-o", f"cache_dir={report}.cache")  # noqa: PTH109
    sys.exit(pytest.main(["tests", *OPTIONS, *places, "--junit-xml", report], plugins=[WholeRun()]))


class WholeRun:
    """A plugin for pytest that runs all tests, and runs them in this process, where the fault is."""

    @staticmethod
    def pytest_configure(config: Any) -> None:
        """Take back the options of the repository's own that prevent it."""
        for name, value in WHOLE_RUN.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("plugin", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
