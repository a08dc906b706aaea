"""Counts a submission's own tests: those that pass, assert something, and whose report nobody has touched.

Judged on the recorded results (`OwnTests`) together with the recorded files of the tests.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from chaos.history import File, History, OwnTest, OwnTests
from lab import javascript_tests
from lab.python_source import Assignment, Function, parsed, targets_of

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
_CLIENT = re.compile(r"client|app|api|http", re.IGNORECASE)
"""What an argument or attribute is called that sends requests."""


@dataclass(slots=True, eq=False)
class TestModule:
    """What the source says of one file of tests."""

    __test__ = False

    tree: ast.Module
    helpers: dict[str, Function]
    imported: dict[str, str]
    """The names that it imports, each with where from: `Message` from `src.models.requests.Message`."""
    definitions: dict[str, set[str]]
    """Its own classes and variables, each with every name in its definition."""
    names: set[str]


@dataclass(slots=True)
class TestFunction:
    """What the source says of one test function, and of the helpers that it calls, in its module or in others."""

    __test__ = False

    asserts: bool
    left_out: bool
    origins: set[str]
    """Where from everything is that it uses and that is imported: `src.models.requests.Message`."""
    names: set[str]
    """Every name and attribute that it uses, with those of the fixtures that it asks for, and of what these use."""
    around: list[TestModule]
    """The modules that it and its helpers are in."""
    asks_for_client: bool
    """Whether it has an argument or attribute that is called like a client, and that nothing in the sources makes."""


class Suite:
    """The tests of a history that pytest, or a runner of Node.js, has counted, with their sources."""

    def __init__(self, history: History, fault: str = "") -> None:
        found = [event for event in history.of(OwnTests) if event.fault == fault]
        self.event = found[-1] if found else None
        self._javascript = javascript_tests.JavaScriptTests(history.of(File))
        self._sources = _Sources({file.path: _module(tree) for file, tree in parsed(history.of(File))})
        self._functions: dict[str, dict[str, TestFunction]] = {}

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
        function = self._function(case)
        inside = package.partition(".")[2] or package
        return function is not None and any(f".{inside}." in f".{origin}." for origin in function.origins)

    def _requests(self, case: OwnTest) -> bool:
        function = self._function(case)
        if function is None or not function.names & _REQUESTS:
            return False
        places = [*function.around, *(self._sources.conftests if function.asks_for_client else ())]
        return bool(function.names & _CLIENTS) or any(one.names & _CLIENTS for one in places)

    def _function(self, case: OwnTest) -> TestFunction | None:
        if case.file not in self._functions:
            self._functions[case.file] = self._sources.functions(case.file)
        return self._functions[case.file].get(case.name)


class _Sources:
    """The modules of a submission, which call each other's helpers below `tests`."""

    def __init__(self, modules: dict[str, TestModule]) -> None:
        self._modules = modules
        self.conftests = [one for path, one in modules.items() if PurePosixPath(path).name == "conftest.py"]
        # Those of conftest.py last: they count where several have the same name.
        self._fixtures = {
            name: (function, module)
            for module in (*modules.values(), *self.conftests)
            for function in module.helpers.values()
            for name in _fixture_names(function)
        }
        self._imported: dict[str, TestModule] = {}
        self._names: dict[Function, frozenset[str]] = {}
        self._asserting: dict[Function, bool] = {}
        for path, module in modules.items():
            if path.startswith("tests/"):
                parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
                # What stands in tests/ is imported by its bare name, from tests, or relative to another module.
                for start in range(len(parts)):
                    self._imported.setdefault(".".join(parts[start:]), module)

    def functions(self, path: str) -> dict[str, TestFunction]:
        """Return what is to be known of the functions of a module and of its classes."""
        module = self._modules.get(path)
        if module is None:
            return {}
        aside = _left_out(module.tree.body)
        found = {}
        for prefix, outer, node in _functions(module.tree):
            beside = {one.name: one for one in outer if isinstance(one, Function)}
            reached = list(self._reached(node, module, beside))
            asked = list(self._reached(node, module, beside, self._fixtures))
            found[f"{prefix}{node.name}"] = TestFunction(
                asserts=any(self._asserts(one) for one, _ in reached),
                left_out=aside or _left_out(outer) or _marked(node.decorator_list),
                origins={
                    place.imported[name]
                    for one, place in reached
                    for name in self._names_of(one) & place.imported.keys()
                },
                names=set().union(*(self._behind(one, place) for one, place in asked)),
                around=list(dict.fromkeys(place for _, place in reached)),
                asks_for_client=any(
                    _CLIENT.search(name) and name not in self._fixtures.keys() | module.helpers.keys()
                    for name in _given(node)
                ),
            )
        return found

    def _reached(
        self,
        function: Function,
        module: TestModule,
        beside: dict[str, Function],
        fixtures: dict[str, tuple[Function, TestModule]] | None = None,
    ) -> Iterator[tuple[Function, TestModule]]:
        """Yield a function and the helpers that it calls, and that those call, each with its module."""
        waiting, seen = [(function, module)], set()
        while waiting:
            node, place = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            yield node, place
            names = self._names_of(node)
            for name in names:
                if place is module and name in beside:
                    waiting.append((beside[name], place))
                elif name in place.helpers:
                    waiting.append((place.helpers[name], place))
                elif name in place.imported:
                    waiting += self._from_elsewhere(place.imported[name], names)
                elif fixtures and name in fixtures:
                    waiting.append(fixtures[name])

    def _behind(self, function: Function, module: TestModule) -> set[str]:
        """Return the names in a function, and those in the definitions of classes and variables that it uses."""
        found: set[str] = set()
        waiting = [(name, module) for name in self._names_of(function)]
        seen: set[tuple[str, TestModule]] = set()
        while waiting:
            name, place = waiting.pop()
            found.add(name)
            if (name, place) in seen:
                continue
            seen.add((name, place))
            if name not in place.definitions and name in place.imported:
                origin, _, name = place.imported[name].rpartition(".")
                found.add(name)
                place = self._imported.get(origin, place)
            waiting += [(one, place) for one in place.definitions.get(name, ())]
        return found

    def _names_of(self, function: Function) -> frozenset[str]:
        if function not in self._names:
            self._names[function] = frozenset(_names(function))
        return self._names[function]

    def _asserts(self, function: Function) -> bool:
        if function not in self._asserting:
            self._asserting[function] = _asserts(function)
        return self._asserting[function]

    def _from_elsewhere(self, origin: str, names: frozenset[str]) -> Iterator[tuple[Function, TestModule]]:
        """Yield the function below `tests` that is imported from there, or those of a module that are used by name."""
        if module := self._imported.get(origin):
            yield from ((module.helpers[name], module) for name in names & module.helpers.keys())
        place, _, name = origin.rpartition(".")
        module = self._imported.get(place)
        if module and name in module.helpers:
            yield module.helpers[name], module


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
    return TestModule(tree, helpers, _imported(tree), _definitions(tree), set(_names(tree)))


def _definitions(tree: ast.Module) -> dict[str, set[str]]:
    found = {node.name: set(_names(node)) for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, Assignment) and node.value:
            names = set(_names(node.value))
            found |= {target.id: names for target in targets_of(node) if isinstance(target, ast.Name)}
    return found


def _fixture_names(function: Function) -> Iterator[str]:
    """Yield the name that tests have for a fixture: its own, or that in `@pytest.fixture(name=...)`. None for others."""
    for decorator in function.decorator_list:
        if "fixture" in ast.unparse(decorator):
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            named = [
                one.value.value
                for one in keywords
                if one.arg == "name" and isinstance(one.value, ast.Constant)
            ]
            yield str(named[0]) if named else function.name


def _given(function: Function) -> Iterator[str]:
    """Yield what a test is given: its arguments, and the attributes of its class."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "cls"}:
            yield node.attr


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
