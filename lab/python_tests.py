"""Finds a submission's tests in its Python sources, and what each of them reaches: helpers, fixtures, classes.

Nothing is run. A name reaches what it stands for in its module, in another module below `tests/`, and in the test's class
and its bases.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from chaos.history import File
from lab.assertions import makes_assertion
from lab.python_source import Assignment, Function, parsed, targets_of

_MARKS_OUT = {"skip", "xfail", "expectedFailure"}
"""Marks of tests that do not count. A test that has passed was not skipped by its `skipif`."""
_SET_UPS = {
    *("setUp", "asyncSetUp", "setUpClass", "setUpModule"),
    *("setup", "setup_method", "setup_class", "setup_module"),
}
"""What unittest and pytest call before a test without being asked."""
MOST_VISITS = 500_000
"""Definitions that are looked at for all tests together: a suite of 2,000 tests takes about 300,000. Tests beyond do not count."""
_COMMANDS = {"uvicorn", "hypercorn"}
"""Words of a command line that count as names: a test can start the application by them."""


class Module:
    """A file of Python."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.imported = _imported(tree)
        """The names that it imports, each with where from: `Message` from `src.models.requests.Message`."""

    @cached_property
    def definitions(self) -> dict[str, "Definition"]:
        """What is defined at its top."""
        return {name: Definition(node, self) for name, node in _defined(self.tree.body)}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and attribute in it."""
        return frozenset(_names(self.tree))


@dataclass(frozen=True, eq=False)
class Definition:
    """A function, a class or a variable."""

    node: Function | ast.ClassDef | Assignment
    module: Module

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and attribute in it."""
        return frozenset(_names(self.node))

    @cached_property
    def members(self) -> dict[str, "Definition"]:
        """What is defined in a class, or in a function of pytest-describe."""
        body = [] if isinstance(self.node, Assignment) else self.node.body
        return {name: Definition(node, self.module) for name, node in _defined(body)}

    @cached_property
    def asserts(self) -> bool:
        """Whether a function or the value of a variable has an assertion in it that can fail."""
        return not self.is_class and makes_assertion(self.node)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def decorators(self) -> list[ast.expr]:
        return [] if isinstance(self.node, Assignment) else self.node.decorator_list

    @property
    def left_out(self) -> bool:
        """Whether a mark leaves it out, or leaves out all that is in it."""
        body = self.node.body if isinstance(self.node, ast.ClassDef) else []
        return any(map(_marks_out, self.decorators)) or _all_left_out(body)


@dataclass(frozen=True, slots=True)
class TestFunction:
    """A test and what it reaches."""

    __test__ = False

    called: frozenset[Definition]
    """The test, the helpers that it calls, and those that they call."""
    reached: frozenset[Definition]
    """The same, with the fixtures, classes and variables that they use, and what sets the test up."""
    left_out: bool
    foreign: frozenset[str]
    """Its arguments and the attributes of its class that nothing in the sources makes."""

    @property
    def asserts(self) -> bool:
        return any(one.asserts for one in self.called)

    @property
    def functions(self) -> set[Definition]:
        """Itself and the functions that it calls."""
        return {one for one in self.called if isinstance(one.node, Function)}

    @property
    def names(self) -> frozenset[str]:
        """Every name and attribute in all that it reaches."""
        return frozenset().union(*(one.names for one in self.reached))

    @property
    def modules(self) -> set[Module]:
        """Those of the test and of its helpers."""
        return {one.module for one in self.called}


class Sources:
    """The modules of a submission."""

    def __init__(self, files: Sequence[File]) -> None:
        self._modules = {file.path: Module(tree) for file, tree in parsed(files)}
        self.conftests = [
            one for path, one in self._modules.items() if PurePosixPath(path).name == "conftest.py"
        ]
        self._outside: dict[Definition, frozenset[Definition]] = {}
        """What each definition uses of its module and of others."""
        self._all_members: dict[Definition, dict[str, Definition]] = {}
        self._visits = 0
        self._importable: dict[str, Module] = {}
        for path, module in self._modules.items():
            if path.startswith("tests/"):
                parts = _dotted(path).split(".")
                # What stands in tests/ is imported by its bare name, from tests, or relative to another module.
                for start in range(len(parts)):
                    self._importable.setdefault(".".join(parts[start:]), module)
        self._resolve_star_imports()
        # Those of conftest.py last: they count where several have the same name.
        self._fixtures = {
            name: one
            for module in (*self._modules.values(), *self.conftests)
            for outer in module.definitions.values()
            for one in (outer, *outer.members.values())
            for name in _fixture_names(one)
        }

    def find(self, file: str, name: str) -> TestFunction | None:
        """Return the test that pytest reports so, or None if it is not in the sources.

        pytest names the file of the base class for an inherited test. The name then begins with the test's own module.
        """
        places = [(file, name)]
        places += [
            (path, name.removeprefix(f"{_dotted(path)}."))
            for path in self._modules
            if name.startswith(f"{_dotted(path)}.")
        ]
        found = (
            self._in_module(self._modules[path], inner) for path, inner in places if path in self._modules
        )
        return next((one for one in found if one), None)

    def _in_module(self, module: Module, name: str) -> TestFunction | None:
        *holders, function = name.split(".")
        scope: Mapping[str, Definition] = module.definitions
        around: list[Definition] = []
        for holder in holders:
            if (one := _named(holder, scope)) is None:
                return None
            around += self._with_bases(one)
            scope = self._members(one)
        test = _named(function, scope)
        if test is None or not isinstance(test.node, Function):
            return None
        beside = scope if holders else {}
        before = [
            one
            for name, one in {**module.definitions, **beside}.items()
            if name in _SET_UPS or _is_autouse(one)
        ]
        reached = self._reached([test, *before], beside)
        return TestFunction(
            called=frozenset(self._called(test, beside, reached)),
            reached=frozenset(reached),
            left_out=_all_left_out(module.tree.body) or any(one.left_out for one in (test, *around)),
            foreign=frozenset(_given(test.node)) - {*self._fixtures, *module.definitions, *beside},
        )

    def _reached(self, starts: Sequence[Definition], beside: Mapping[str, Definition]) -> set[Definition]:
        """Return these definitions and all that they use, fixtures by their names too."""

        def follow(one: Definition) -> Iterator[Definition]:
            yield from self._used(one, beside)
            yield from (self._fixtures[name] for name in one.names & self._fixtures.keys())

        return self._closure(starts, follow)

    def _called(
        self, test: Definition, beside: Mapping[str, Definition], reached: Iterable[Definition]
    ) -> set[Definition]:
        """Return a test and the helpers that it calls, methods of the classes that it reaches among them."""
        methods: dict[str, list[Definition]] = {}
        for holder in filter(lambda one: one.is_class, reached):
            for name, one in self._members(holder).items():
                self._visits += 1
                methods.setdefault(name, []).append(one)

        def follow(one: Definition) -> Iterator[Definition]:
            yield from (used for used in self._used(one, beside) if not used.is_class)
            yield from (used for name in one.names & methods.keys() for used in methods[name])

        return self._closure([test], follow)

    def _closure(
        self, starts: Sequence[Definition], follow: Callable[[Definition], Iterator[Definition]]
    ) -> set[Definition]:
        """Return these definitions and all that `follow` leads to from them."""
        waiting, seen = list(starts), set[Definition]()
        while waiting and self._visits < MOST_VISITS:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                self._visits += 1
                waiting += follow(one)
        return seen

    def _used(self, one: Definition, beside: Mapping[str, Definition]) -> Iterator[Definition]:
        """Yield what the names of a definition stand for."""
        if one not in self._outside:
            self._outside[one] = frozenset(
                used for name in one.names for used in self._meant(name, one.names, one.module)
            )
        yield from self._outside[one]
        yield from (beside[name] for name in one.names & beside.keys())

    def _meant(
        self, name: str, names: frozenset[str], module: Module, seen: frozenset[str] = frozenset()
    ) -> Iterator[Definition]:
        """Yield what a name stands for in a module. For a module of the tests: what `names` has of it."""
        if name in module.definitions:
            yield module.definitions[name]
            return
        for origin in module.imported.get(name, set()) - seen:
            if inner := self._importable.get(origin):
                yield from (inner.definitions[used] for used in names & inner.definitions.keys())
            place, _, last = origin.rpartition(".")
            if outer := self._importable.get(place):
                yield from self._meant(last, names, outer, seen | {origin})

    def _with_bases(self, holder: Definition) -> list[Definition]:
        """Return a class and its bases in the tests, itself first."""
        found: list[Definition] = []
        waiting = [holder]
        while waiting:
            one = waiting.pop(0)
            if one not in found:
                found.append(one)
                for base in one.node.bases if isinstance(one.node, ast.ClassDef) else ():
                    names = frozenset(_names(base))
                    waiting += (
                        each
                        for name in names
                        for each in self._meant(name, names, one.module)
                        if each.is_class
                    )
        return found

    def _members(self, holder: Definition) -> dict[str, Definition]:
        """Return what is defined in a class and its bases."""
        if holder not in self._all_members:
            holders = reversed(self._with_bases(holder))
            self._all_members[holder] = {name: one for each in holders for name, one in each.members.items()}
        return self._all_members[holder]

    def _resolve_star_imports(self) -> None:
        everywhere = {_dotted(path): one for path, one in self._modules.items()} | self._importable
        for module in self._modules.values():
            for origin in module.imported.pop("*", ()):
                place = origin.removesuffix(".*")
                if other := everywhere.get(place):
                    for name in (*other.definitions, *other.imported):
                        module.imported.setdefault(name, set()).add(f"{place}.{name}")


def origins(definitions: Iterable[Definition]) -> set[str]:
    """Return where from everything is that they use and that is imported: `src.models.requests.Message`."""
    return {
        origin
        for one in definitions
        for name in one.names & one.module.imported.keys()
        for origin in one.module.imported[name]
    }


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _named(name: str, scope: Mapping[str, Definition]) -> Definition | None:
    """Return the definition of that name, or the one from which a decorator (`expand`, `data`) has made one."""
    if name in scope:
        return scope[name]
    makers = [one for one, definition in scope.items() if definition.decorators and name.startswith(one)]
    return scope[max(makers, key=len)] if makers else None


def _defined(body: Sequence[ast.stmt]) -> Iterator[tuple[str, Function | ast.ClassDef | Assignment]]:
    """Yield the functions, classes and variables of a body, whatever condition they are under."""
    waiting = list(reversed(body))
    while waiting:  # by a list: a long chain of `elif` is as deep as it is long
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, Assignment):
            if node.value:
                yield from ((one.id, node) for one in targets_of(node) if isinstance(one, ast.Name))
        elif isinstance(node, ast.If):
            waiting += reversed([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = (one for handler in node.handlers for one in handler.body)
            waiting += reversed([*node.body, *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.With):
            waiting += reversed(node.body)


def _fixture_names(definition: Definition) -> Iterator[str]:
    """Yield the name that tests have for a fixture: its own, or that in `@pytest.fixture(name=...)`. None for others."""
    for decorator in definition.decorators:
        if "fixture" in ast.unparse(decorator) and isinstance(definition.node, Function):
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            named = [
                one.value.value
                for one in keywords
                if one.arg == "name" and isinstance(one.value, ast.Constant)
            ]
            yield str(named[0]) if named else definition.node.name


def _is_autouse(definition: Definition) -> bool:
    return any("autouse=True" in ast.unparse(one) for one in definition.decorators)


def _given(function: Function) -> Iterator[str]:
    """Yield what a test is given: its arguments, and the attributes of its class."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "cls"}:
            yield node.attr


def _imported(tree: ast.Module) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                origin = f"{node.module}.{one.name}" if node.module else one.name
                found.setdefault(one.asname or one.name, set()).add(origin)
        elif isinstance(node, ast.Import):
            for one in node.names:
                found.setdefault(one.asname or one.name.partition(".")[0], set()).add(one.name)
    return found


def _all_left_out(body: Sequence[ast.stmt]) -> bool:
    """Whether `pytestmark` leaves out all that stands beside it."""
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == "pytestmark" for one in node.targets)
        and _marks_out(node.value)
        for node in body
    )


def _marks_out(mark: ast.expr) -> bool:
    """Whether a mark leaves tests out. One of a single parameter does not leave out the others."""
    if isinstance(mark, ast.List | ast.Tuple):
        return any(map(_marks_out, mark.elts))
    if isinstance(mark, ast.Call):
        return _marks_out(mark.func)
    name = mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "")
    return name in _MARKS_OUT


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
        elif isinstance(node, ast.Constant) and node.value in _COMMANDS:
            yield str(node.value)
        elif isinstance(node, ast.Call) and any(one.arg == "app" for one in node.keywords):
            # `AsyncClient(app=app)` of httpx before 0.28, which makes the transport itself.
            yield "ASGITransport"
