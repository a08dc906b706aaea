"""The checks of exercise 3."""

import ast
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from chaos.history import Answer, Exchange, File, History
from exercises.chat import limit_checks
from exercises.chat.limit import ROUNDS
from exercises.week1.ex3_rate_limit.experiments import ALLOWED
from lab.python_source import MAKING, Assignment, Function, parsed, targets_of
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

WINDOW = 60.0
_SOURCES = PurePosixPath("src")
"""A module here is found before a library of its name."""
_LITESTARS_OWN = "litestar.middleware.rate_limit"
_FRACTION = re.compile(r"\s*\d*\.\d+\s*")
_LIMITER = re.compile(
    r"(?:rate|request).?limit|limiter|throttl|too.?many.?requests|retry.?after|\b429\b", re.IGNORECASE
)
_LIMITER_PATH = re.compile(r"(?<!body_)(?<!size_)limit|throttl|quota", re.IGNORECASE)
_REMOVING = {"pop", "popitem", "clear", "discard", "remove", "delete", "expire", "zremrangebyscore", "setex"}
_LATER = {"pop", "popitem", "popleft", "clear", "discard", "remove"}
"""Methods that take entries out, where another one is told to call them: `call_later(60, self._seen.pop, client)`."""
_EMPTY = {"dict", "Counter", "defaultdict", "OrderedDict", "deque"}
_BOUNDED = {"TTLCache", "LRUCache", "TLRUCache", "Cache", "ExpiringDict"}
_LIBRARIES = {
    *(
        "limits",
        "slowapi",
        "cachetools",
        "fastapi_limiter",
        "pyrate_limiter",
        "throttled",
        "expiringdict",
    ),
    *("diskcache", "aiocache", "redis"),
}
"""Libraries that remove what has expired by themselves. aiolimiter knows no addresses: they are kept by who uses it."""


def ten_in_a_minute(limit: History) -> Verdict:
    verdict = all_of([limit_checks.sequence(limit, ALLOWED), limit_checks.crowd(limit, ALLOWED)])
    return limit_checks.in_time(limit, verdict, WINDOW / ALLOWED)


def tells_when_to_come_back(limit: History) -> Verdict:
    refused = [one for one in limit.exchanges() if one.status == 429]
    if not refused:
        last = limit.exchanges("beyond 1")[-1]
        return not_judged("no request was refused", last.end, blame="submission")
    verdict = all_of(
        verdict
        for one in refused
        for verdict in (
            limit_checks.retry_after(one, WINDOW),
            _whole_seconds(one),
            limit_checks.not_called(limit, one),
        )
    )
    return in_short(
        verdict, f"{len(refused)} refusals with a Retry-After, and no call of the provider for any of them"
    )


def others_are_served(limit: History) -> Verdict:
    others = [one for number in ROUNDS for one in limit.exchanges(f"another address {number}")]
    beyond = [one for number in ROUNDS for one in limit.exchanges(f"beyond {number}")]
    for number in ROUNDS:
        for one in limit.exchanges(f"health {number}"):
            if one.status != 200:
                return failed("GET /health is not limited", outcome(one.end), one.end)
    if not any(one.status == 429 for one in beyond):
        return not_judged(
            "no request was refused, so there is no limit to judge", beyond[-1].end, blame="submission"
        )
    return limit_checks.served(others, "another address is served")


def address_of_the_connection(limit: History) -> Verdict:
    return limit_checks.in_time(limit, limit_checks.not_forged(limit), WINDOW / ALLOWED)


def forgets(sources: History) -> Verdict:
    expected = "entries are removed, by the code of the limiter or by its library"
    limiters = [
        file
        for file in sources.of(File)
        if file.path.endswith(".py") and (_LIMITER_PATH.search(file.path) or _LIMITER.search(file.text))
    ]
    if not limiters:
        return failed(expected, "there is no limiter in src/")
    paths = [PurePosixPath(file.path) for file in sources.of(File)]
    libraries = _LIBRARIES - {path.stem for path in paths if path.parent == _SOURCES}
    for file, tree in _of_the_limiter(limiters):
        module = _module_names(tree)
        if (
            _uses(tree, libraries)
            or any(_removes(node, module) for node in _statements(tree))
            or any(_is_kept_by_argument(node) for node in ast.walk(tree))
            or _begins_anew(tree)
        ):
            return passed(f"{file.path} removes entries", file)
    return failed(
        expected, f"nothing in {', '.join(file.path for file in limiters[:3])} removes an entry", limiters[0]
    )


def _of_the_limiter(files: Sequence[File]) -> list[tuple[File, ast.Module]]:
    """Return what may remove entries: the modules that are called after a limit and keep something, and their users.

    Where there are none, all that have a word of limits in them: a client of the provider has, for its 429s.
    """
    modules = list(parsed(files))
    own = [(file, tree) for file, tree in modules if _LIMITER_PATH.search(file.path) and _keeps(tree)]
    if not own:
        return modules
    names = {PurePosixPath(file.path).stem for file, _ in own}
    users = [
        (file, tree)
        for file, tree in modules
        if (file, tree) not in own and any(not names.isdisjoint(name.split(".")) for name in _imports(tree))
    ]
    return own + users


def _keeps(tree: ast.Module) -> bool:
    """Whether a module is more than a stub: it assigns to an entry or to an attribute."""
    targets = (
        target for node in ast.walk(tree) if isinstance(node, Assignment) for target in targets_of(node)
    )
    return any(isinstance(target, ast.Subscript | ast.Attribute) for target in targets)


def _uses(tree: ast.Module, libraries: AbstractSet[str]) -> bool:
    return any(
        name.partition(".")[0] in libraries or name.startswith(_LITESTARS_OWN) for name in _imports(tree)
    )


def _whole_seconds(one: Exchange) -> Verdict:
    """Judge that a Retry-After has no fraction: RFC 9110 knows none, and clients that read an integer fail on it."""
    assert isinstance(one.end, Answer)
    told = one.end.headers.get("retry-after", "")
    if _FRACTION.fullmatch(told) and not float(told).is_integer():
        return failed("a Retry-After of whole seconds", f"Retry-After: {excerpt(told, 40)}", one.end)
    return passed("whole seconds", one.end)


def _imports(tree: ast.Module) -> set[str]:
    """Return the full names of all that a module imports."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {f"{'.' * node.level}{node.module or ''}.{alias.name}" for node in found for alias in node.names}
    return names | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }


def _module_names(tree: ast.Module) -> set[str]:
    """Return the names that a module's own statements assign to."""
    targets = [target for node in tree.body if isinstance(node, Assignment) for target in targets_of(node)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the code of a module without its decorators: `@router.delete("/keys")` deletes nothing."""
    left_out = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.ClassDef)
        for decorator in node.decorator_list
        for inner in ast.walk(decorator)
    }
    return (node for node in ast.walk(tree) if node not in left_out)


def _is_kept_by_argument(node: ast.AST) -> bool:
    """Whether a function keeps what it made for each argument, of which lru_cache forgets the oldest."""
    if not isinstance(node, Function) or not node.args.args:
        return False
    return any("lru_cache" in ast.unparse(one) for one in node.decorator_list)


def _removes(node: ast.AST, module: AbstractSet[str]) -> bool:
    """Whether a piece of code takes entries out: by a method, by `del`, by making the whole anew, or by a bounded type.

    `module` are the names that the module assigns to.
    """
    match node:
        case (
            ast.Call(func=ast.Attribute(attr="pop", value=whole), args=[] | [ast.Constant(value=int())])
            | ast.Call(func=ast.Attribute(attr="clear" | "remove", value=whole))
        ):
            return not _belongs_to_one(whole, module)
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in _REMOVING | _BOUNDED or _passes_on(node)
        case ast.Call():
            return _passes_on(node)
        case ast.Delete():
            return any(
                isinstance(target, ast.Subscript)
                and not (_is_place(target.slice) and _belongs_to_one(target.value, module))
                for target in node.targets
            )
        case ast.Assign(value=ast.DictComp()) | ast.AnnAssign(value=ast.DictComp()):
            return True
    return False


def _belongs_to_one(whole: ast.expr, module: AbstractSet[str]) -> bool:
    """Whether a list seems to be that of one address, which stays when its times go: `times`, `self._times[client]`."""
    return isinstance(whole, ast.Subscript | ast.Call) or (
        isinstance(whole, ast.Name) and whole.id not in module
    )


def _is_place(index: ast.expr) -> bool:
    return isinstance(index, ast.Slice) or (isinstance(index, ast.Constant) and isinstance(index.value, int))


def _passes_on(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(one, ast.Attribute) and one.attr in _LATER for one in given)


def _begins_anew(tree: ast.Module) -> bool:
    """Whether an object or a module replaces what it has counted by nothing, other than when it is made."""
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    return any(
        _is_empty(value) and _is_kept(target, _outer_names(function))
        for function in functions
        if function.name not in MAKING
        for node in ast.walk(function)
        if isinstance(node, Assignment)
        for target, value in _pairs(node)
    )


def _pairs(node: Assignment) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield each target with its value: `old, new = new, {}` has two."""
    for target in targets_of(node):
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _outer_names(function: Function) -> set[str]:
    outer = (node for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal))
    return {name for node in outer for name in node.names}


def _is_kept(target: ast.expr, outer: AbstractSet[str]) -> bool:
    """Whether a target stays after the function has ended: an attribute of `self`, or a name from outside."""
    if isinstance(target, ast.Name):
        return target.id in outer
    return isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"


def _is_empty(value: ast.expr | None) -> bool:
    match value:
        case ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in _EMPTY
    return False
