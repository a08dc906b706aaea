"""Faults in what a function does: steps left out, conditions, limits and exceptions."""

import ast
from collections.abc import Iterator

from grading.calibrate.generated.options import Options
from grading.calibrate.generated.source import Fault, Source, word

_NEIGHBOURS: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_CATCHES_ALL = {"Exception", "BaseException"}


def statements(source: Source, options: Options) -> Iterator[Fault]:
    """Leave out a statement that does something: a call, an assignment to an attribute or an entry, a `raise`.

    What is all that an `if` does is left to `conditions`.
    """
    alone = {
        id(node.body[0])
        for _, node in source.nodes(options.where)
        if isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse
    }
    for scope, node in source.nodes(options.where):
        if id(node) in alone:
            continue
        match node:
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
                pass
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple(), *_]):
                pass
            case _:
                continue
        yield Fault(scope, f"without-{word(source.old(node))}", source.replaced(node, "pass"))


def conditions(source: Source, options: Options) -> Iterator[Fault]:
    """Have a condition hold always, or never. It is still evaluated."""
    for scope, node in source.nodes(options.where):
        if not isinstance(node, ast.If | ast.IfExp | ast.While):
            continue
        test = source.old(node.test)
        yield Fault(scope, f"never-{word(test)}", source.replaced(node.test, f"(({test}) and False)"))
        if not isinstance(node, ast.While):
            yield Fault(scope, f"always-{word(test)}", source.replaced(node.test, f"(({test}) or True)"))


def operands(source: Source, options: Options) -> Iterator[Fault]:
    """Ignore one of the parts of an `and` or an `or`."""
    for scope, node in source.nodes(options.where):
        if isinstance(node, ast.BoolOp):
            sign = " and " if isinstance(node.op, ast.And) else " or "
            for ignored in node.values:
                left = sign.join(f"({source.old(one)})" for one in node.values if one is not ignored)
                yield Fault(scope, f"ignores-{word(source.old(ignored))}", source.replaced(node, f"({left})"))


def boundaries(source: Source, options: Options) -> Iterator[Fault]:
    """Shift a limit by one: `<` for `<=`, and so on."""
    for scope, node in source.nodes(options.where):
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _NEIGHBOURS:
                new = f"{source.old(left)} {_NEIGHBOURS[type(operator)]} {source.old(right)}"
                yield Fault(scope, f"off-by-one-{word(source.old(node))}", source.replaced(node, new))


def handlers(source: Source, options: Options) -> Iterator[Fault]:
    """Have an `except` catch nothing, or everything."""
    for scope, node in source.nodes(options.where):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            kind = source.old(node.type)
            yield Fault(scope, f"{word(kind)}-not-caught", source.replaced(node.type, "()"))
            if kind not in _CATCHES_ALL:
                yield Fault(scope, f"{word(kind)}-is-any", source.replaced(node.type, "Exception"))


def timeouts(source: Source, options: Options) -> Iterator[Fault]:
    """Give a time limit of asyncio's no bound, or another."""
    for scope, node in source.nodes(options.where):
        match node:
            case ast.Call(func=ast.Attribute(attr="timeout" | "timeout_at"), args=[limit]):
                old = source.old(limit)
                if old != "None":
                    yield Fault(scope, f"no-limit-{word(old)}", source.replaced(limit, "None"))
                    for factor in options.factors:
                        new = source.replaced(limit, f"{factor:g} * ({old})")
                        yield Fault(scope, f"{factor:g}-times-{word(old)}", new)


def results(source: Source, options: Options) -> Iterator[Fault]:
    """Return one of `values` instead of what was found."""
    for scope, node in source.nodes(options.where):
        if isinstance(node, ast.Return) and node.value is not None:
            old = source.old(node.value)
            for value in options.values:
                if value != old:
                    what = f"{word(value)}-for-{word(old)}"
                    yield Fault(scope, what, source.replaced(node.value, value))
