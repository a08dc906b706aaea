"""Faults in what a module says: arguments, entries, their order, constants, annotations."""

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from grading.calibrate.generated.options import Options
from grading.calibrate.generated.source import MODULE, Fault, Source, matches, word

T = TypeVar("T")


def keywords(source: Source, options: Options) -> Iterator[Fault]:
    """Leave out a named argument of a call."""
    for scope, node in source.nodes(options.where):
        for one in node.keywords if isinstance(node, ast.Call) else ():
            if one.arg is not None:
                assert isinstance(node, ast.Call)
                left = copy.copy(node)
                left.keywords = [other for other in node.keywords if other is not one]
                what = f"{word(ast.unparse(node.func))}-without-{one.arg}"
                yield Fault(scope, what, source.replaced(node, ast.unparse(left)))


def entries(source: Source, options: Options) -> Iterator[Fault]:
    """Leave out an entry of a dictionary, or rename it."""
    for scope, node in source.nodes(options.where):
        if not isinstance(node, ast.Dict):
            continue
        for number, key in enumerate(node.keys):
            if key is None:  # **another
                continue
            rest = ast.Dict(_without(node.keys, number), _without(node.values, number))
            yield Fault(scope, f"no-{word(source.old(key))}", source.replaced(node, ast.unparse(rest)))
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                other = source.replaced(key, repr(f"the_{key.value}"))
                yield Fault(scope, f"{word(key.value)}-renamed", other)


def elements(source: Source, options: Options) -> Iterator[Fault]:
    """Leave out an element of a list, a tuple or a set."""
    types = {id(node.slice) for _, node in source.nodes(("*",)) if isinstance(node, ast.Subscript)}
    for scope, node in source.nodes(options.where):
        if not isinstance(node, ast.List | ast.Set | ast.Tuple) or id(node) in types:
            continue
        if isinstance(node, ast.List | ast.Tuple) and not isinstance(node.ctx, ast.Load):
            continue
        for number, one in enumerate(node.elts):
            left = copy.copy(node)
            left.elts = _without(node.elts, number)
            yield Fault(scope, f"no-{word(source.old(one))}", source.replaced(node, ast.unparse(left)))


def order(source: Source, options: Options) -> Iterator[Fault]:
    """Put one call of a list of calls elsewhere in it."""
    for scope, node in source.nodes(options.where):
        if not isinstance(node, ast.List) or not all(isinstance(one, ast.Call) for one in node.elts):
            continue
        for number, one in enumerate(node.elts):
            for place in range(len(node.elts)):
                # To move one down by one is to move the next one up.
                if place not in {number, number - 1}:
                    moved = copy.copy(node)
                    moved.elts = _without(node.elts, number)
                    moved.elts.insert(place, one)
                    what = f"{word(source.old(one))}-at-{place + 1}"
                    yield Fault(scope, what, source.replaced(node, ast.unparse(moved)))


def numbers(source: Source, options: Options) -> Iterator[Fault]:
    """Scale a constant or a default, a tuple as a whole and by element, or give it one of `values`."""
    for name, node in _constants(source, options):
        for factor in options.factors:
            yield Fault(name, f"{factor:g}-times", source.replaced(node, _scaled(source, node, factor)))
            for number, one in enumerate(node.elts if isinstance(node, ast.Tuple) else ()):
                what = f"{factor:g}-times-number-{number + 1}"
                yield Fault(name, what, source.replaced(one, _scaled(source, one, factor)))
        for value in options.values:
            if value != source.old(node):
                yield Fault(name, f"is-{word(value)}", source.replaced(node, value))


def metadata(source: Source, options: Options) -> Iterator[Fault]:
    """Leave out a validator, a bound or a dependency of an `Annotated`."""
    for scope, node in source.nodes(options.where):
        match node:
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *rest])):
                for number, one in enumerate(rest):
                    left = ", ".join(map(source.old, (kind, *_without(rest, number))))
                    new = f"Annotated[{left}]" if len(rest) > 1 else left
                    yield Fault(scope, f"no-{word(source.old(one))}", source.replaced(node, new))


def flags(source: Source, options: Options) -> Iterator[Fault]:
    """Have a class that derives from `base` set one of the flags `names` which it does not set, or the other way."""
    for scope, node in source.nodes((MODULE,)):
        if not isinstance(node, ast.ClassDef) or options.base not in map(source.old, node.bases):
            continue
        for name in options.names:
            own = [one for one in node.body if _sets(one, name)]
            last = own[0] if own else node.body[-1]
            new = "pass" if own else f"{source.old(last)}\n    {name} = True"
            what = f"is-not-{name}" if own else f"is-{name}"
            yield Fault(f"{scope}.{node.name}".removeprefix(f"{MODULE}."), what, source.replaced(last, new))


def _constants(source: Source, options: Options) -> Iterator[tuple[str, ast.expr]]:
    """Yield values of modules and classes, and defaults of named arguments, whose qualified names match."""
    for scope, node in source.nodes(("*",)):
        for name, value in _named(node):
            qualified = f"{scope}.{name}".removeprefix(f"{MODULE}.")
            if matches(qualified, options.where):
                yield qualified, value


def _named(node: ast.AST) -> Iterable[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
            for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
                if default is not None:
                    yield f"{node.name}.{one.arg}", default


def _scaled(source: Source, node: ast.expr, factor: float) -> str:
    if isinstance(node, ast.Tuple):
        return f"({', '.join(_scaled(source, one, factor) for one in node.elts)},)"
    return f"{factor:g} * ({source.old(node)})"


def _sets(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=found)]):
            return found == name
    return False


def _without(items: Sequence[T], number: int) -> list[T]:
    return [one for place, one in enumerate(items) if place != number]
