"""Counts a submission's own tests: those that pass, assert something, and whose report nobody has touched.

Judged on the recorded results (`OwnTests`) together with the recorded files of the tests.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from chaos.history import File, History, OwnTest, OwnTests
from lab import javascript_tests
from lab.python_source import parsed

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
_MARKS_OUT = {"skip", "skipif", "xfail", "expectedFailure"}
_REQUESTS = {
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "stream",
    "websocket_connect",
}
_CLIENTS = {
    "TestClient",
    "AsyncTestClient",
    "ASGITransport",
    "ASGIWebSocketTransport",
    "LifespanManager",
    "create_test_client",
    "create_async_test_client",
    "test_client",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class TestFunction:
    """What the source says of one test function."""

    __test__ = False

    asserts: bool
    left_out: bool
    names: set[str] = field(default_factory=set)
    """Every name and attribute that it uses, with those of the helpers in its module that it calls."""


@dataclass(slots=True)
class TestModule:
    """What the source says of one file of tests."""

    __test__ = False

    functions: dict[str, TestFunction]
    imported: dict[str, str]
    """The names that it imports, each with where from: `Message` from `src.models.requests.Message`."""
    names: set[str]


class Suite:
    """The tests of a history that pytest, or a runner of Node.js, has counted, with their sources."""

    def __init__(self, history: History, fault: str = "") -> None:
        found = [event for event in history.of(OwnTests) if event.fault == fault]
        self.event = found[-1] if found else None
        self._javascript = javascript_tests.JavaScriptTests(history.of(File))
        self._modules = {file.path: _module(tree) for file, tree in parsed(history.of(File))}
        self._support = {
            name
            for path, module in self._modules.items()
            if PurePosixPath(path).name == "conftest.py"
            for name in module.names
        }

    @property
    def passing(self) -> list[OwnTest]:
        """The tests that count: they pass, are not marked to be left out, and assert something."""
        cases = self.event.cases if self.event else ()
        return [case for case in cases if case.outcome == "passed" and self._counts(case)]

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
        module, function = self._modules[case.file], self._function(case)
        inside = package.partition(".")[2] or package
        origins = [origin for name, origin in module.imported.items() if function and name in function.names]
        return any(f".{inside}." in f".{origin}." for origin in origins)

    def _requests(self, case: OwnTest) -> bool:
        function = self._function(case)
        known = self._modules[case.file].names | self._support
        return bool(function and function.names & _REQUESTS and known & _CLIENTS)

    def _function(self, case: OwnTest) -> TestFunction | None:
        module = self._modules.get(case.file)
        return module.functions.get(case.name) if module else None


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


def _module(tree: ast.Module) -> TestModule:
    helpers = {node.name: node for node in tree.body if isinstance(node, Function)}
    aside = _left_out(tree.body)
    functions = {}
    for prefix, outer, node in _functions(tree):
        own = {**helpers, **{one.name: one for one in outer if isinstance(one, Function)}}
        reached = list(_reached(node, own))
        functions[f"{prefix}{node.name}"] = TestFunction(
            asserts=any(_asserts(one) for one in reached),
            left_out=aside or _left_out(outer) or _marked(node.decorator_list),
            names={name for one in reached for name in _names(one)},
        )
    return TestModule(functions, _imported(tree), set(_names(tree)))


def _imported(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name: f"{node.module or ''}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0]: one.name for one in node.names}
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt], Function]]:
    """Yield the functions of a module and of its classes, each with its prefix and what stands beside it in the class."""
    for node in tree.body:
        if isinstance(node, Function):
            yield "", [], node
        elif isinstance(node, ast.ClassDef):
            marked = _marked(node.decorator_list)
            for inner in node.body:
                if isinstance(inner, Function) and not marked:
                    yield f"{node.name}.", node.body, inner


def _reached(function: Function, helpers: dict[str, Function]) -> Iterator[Function]:
    """Yield a function and the helpers that it calls, and that those call."""
    waiting, seen = [function], set()
    while waiting:
        node = waiting.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        yield node
        waiting += [helpers[name] for name in _names(node) if name in helpers]


def _asserts(function: Function) -> bool:
    return any(_is_assertion(node) for node in ast.walk(function))


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return _can_fail(node.test)
    if isinstance(node, ast.Raise):
        return node.exc is not None and "AssertionError" in ast.unparse(node.exc)
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    checks = called.startswith("assert") or called in {"raises", "raises_group", "warns", "fail"}
    return checks and (
        called in {"raises", "warns", "fail"} or not node.args or any(map(_can_fail, node.args))
    )


def _can_fail(expression: ast.expr) -> bool:
    """Whether an expression depends on anything: constants do not, nor what is compared with itself."""
    if isinstance(expression, ast.Compare) and ast.dump(expression.left) in map(
        ast.dump, expression.comparators
    ):
        return False
    if isinstance(expression, ast.BoolOp) and isinstance(expression.op, ast.Or):
        return all(map(_can_fail, expression.values))
    return any(isinstance(node, ast.Name | ast.Call | ast.Attribute) for node in ast.walk(expression))


def _left_out(body: Sequence[ast.stmt]) -> bool:
    """Whether `pytestmark` leaves out all that stands beside it."""
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == "pytestmark" for one in node.targets)
        and bool(set(_names(node.value)) & _MARKS_OUT)
        for node in body
    )


def _marked(decorators: Sequence[ast.expr]) -> bool:
    return any(set(_names(one)) & _MARKS_OUT for one in decorators)


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.rpartition(".")[2]
        elif isinstance(node, ast.arg):
            yield node.arg
