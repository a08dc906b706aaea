"""Counts a submission's own tests: those that pass, assert something, and whose report nobody has touched.

Judged on the recorded results (`OwnTests`) together with the recorded files of the tests.
"""

import ast
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from chaos.history import File, History, OwnTest, OwnTests
from lab import javascript_tests
from lab.python_source import Function, parsed
from lab.python_tests import Sources, TestFunction, origins

PATTERNS = ("tests/**/*.py", "tests/*.py", "*.py", "src/**/*.py", "src/*.py", *javascript_tests.PATTERNS)
"""What an experiment has to record (`lab.record_files`) so that tests can be counted."""

_RESULT_HOOKS = {
    "pytest_exception_interact",
    "pytest_pyfunc_call",
    "pytest_report_teststatus",
    "pytest_runtest_call",
    "pytest_runtest_logreport",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_unconfigure",
}
"""Hooks of pytest that can change how a test ends, or what is reported of it."""
_INTERNALS = {"_pytest.junitxml", "_pytest.reports", "_pytest.runner", "_pytest.terminal", "_pytest.main"}
_EXITS = {"atexit.register", "os._exit", "sys.settrace", "sys.setprofile"}
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_REQUESTS = {
    *(*_METHODS, "stream", "websocket_connect", "call_and_validate"),
    *(f"simulate_{method}" for method in _METHODS),
}
_CLIENTS = {
    *("TestClient", "AsyncTestClient", "test_client", "create_test_client", "create_async_test_client"),
    *(
        "ASGITransport",
        "ASGIWebSocketTransport",
        "WSGITransport",
        "LifespanManager",
        "TestServer",
        "asgi_client",
        "aiohttp_client",
    ),
    *("from_asgi", "from_wsgi", "uvicorn", "hypercorn"),
}
"""What sends requests to an application in the same process, or starts one on the loopback interface."""
_CLIENT_MODULES = ("django.test.", "falcon.testing.", "rest_framework.test.", "webtest.", "werkzeug.test.")
_CLIENT = re.compile(r"client|app|api|http", re.IGNORECASE)
"""What an argument or attribute is called that sends requests."""


class Suite:
    """The tests of a history that pytest, or a runner of Node.js, has counted, with their sources."""

    def __init__(self, history: History, fault: str = "") -> None:
        found = [event for event in history.of(OwnTests) if event.fault == fault]
        self.event = found[-1] if found else None
        self._javascript = javascript_tests.JavaScriptTests(history.of(File))
        self._sources = Sources(history.of(File))
        self._functions: dict[OwnTest, TestFunction | None] = {}

    @property
    def passing(self) -> list[OwnTest]:
        """The tests that count: they pass, are not marked to be left out, and assert something."""
        cases = self.event.cases if self.event else ()
        return [case for case in cases if case.outcome == "passed" and self._counts(case)]

    @property
    def not_counting(self) -> list[OwnTest]:
        """The tests that pass and do not count."""
        cases = self.event.cases if self.event else ()
        return [case for case in cases if case.outcome == "passed" and not self._counts(case)]

    @property
    def failing(self) -> list[OwnTest]:
        return [case for case in (self.event.cases if self.event else ()) if case.outcome == "failed"]

    def using(self, package: str) -> list[OwnTest]:
        """Return the passing tests that use something which comes from `package`, such as `src.models`."""
        return [case for case in self.passing if self._uses(case, package)]

    def requesting(self) -> list[OwnTest]:
        """Return the passing tests that send requests to the application in the same process."""
        return [case for case in self.passing if self._requests(case)]

    def _counts(self, case: OwnTest) -> bool:
        if javascript_tests.is_javascript(case.file):
            return self._javascript.asserts(case)
        function = self._function(case)
        return function is not None and function.asserts and not function.left_out

    def _uses(self, case: OwnTest, package: str) -> bool:
        """Return whether a test is about a package: it uses it itself, or reaches nothing else of the service's."""
        function = self._function(case)
        if function is None:
            return False
        top, _, inside = package.partition(".")
        reached = origins(function.reached)
        others = any(one.startswith(f"{top}.") and not _is_in(one, inside) for one in reached)
        return any(_is_in(one, inside) for one in (origins(function.functions) if others else reached))

    def _requests(self, case: OwnTest) -> bool:
        function = self._function(case)
        if function is None or not function.names & _REQUESTS:
            return False
        sources = origins(function.reached)
        names = function.names | {one.rpartition(".")[2] for one in sources}
        asks_for_client = any(map(_CLIENT.search, function.foreign))
        places = [*function.modules, *(self._sources.conftests if asks_for_client else ())]
        return (
            bool(names & _CLIENTS)
            or any(one.names & _CLIENTS for one in places)
            or any(one.startswith(_CLIENT_MODULES) for one in sources)
        )

    def _function(self, case: OwnTest) -> TestFunction | None:
        if case not in self._functions:
            self._functions[case] = self._sources.find(case.file, case.name)
        return self._functions[case]


def _is_in(origin: str, package: str) -> bool:
    return f".{package}." in f".{origin}."


def tampering(files: Sequence[File]) -> str:
    """Say what in these files can change the results of tests; an empty string where nothing does."""
    for file, tree in parsed(files):
        in_tests = file.path.startswith("tests/") or PurePosixPath(file.path).name == "conftest.py"
        for node in ast.walk(tree):
            if isinstance(node, Function) and node.name in _RESULT_HOOKS:
                return f"{file.path} has the hook {node.name}, which decides about results"
            if isinstance(node, ast.Import | ast.ImportFrom) and _imports(node) & _INTERNALS:
                return f"{file.path} imports what pytest makes its results with"
            if in_tests and isinstance(node, ast.Attribute) and ast.unparse(node) in _EXITS:
                return (
                    f"{file.path} uses {ast.unparse(node)}, by which a result can be changed after the tests"
                )
    return javascript_tests.tampering(files)


def _imports(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    origin = node.module or ""
    return {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
