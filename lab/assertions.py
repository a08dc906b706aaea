"""Tells the assertions in Python sources from what cannot fail."""

import ast

_CHECKS = {
    *("raises", "RaisesGroup", "RaisesExc", "warns", "fail"),
    *("call_and_validate", "validate_response"),
}
"""Calls of pytest and of schemathesis that assert something whatever they are given."""
_CHECK = "check"
"""The fixture, and the module, of pytest-check: `check.equal(...)`."""


def makes_assertion(tree: ast.AST) -> bool:
    """Return whether there is an assertion in it that can fail."""
    return any(_is_assertion(node) for node in ast.walk(tree))


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return _always_fails(node.test) or (not _is_true(node.test) and _can_fail(node.test))
    if isinstance(node, ast.Raise):
        return node.exc is not None and "AssertionError" in ast.unparse(node.exc)
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called in _CHECKS:
        return True
    asserts = called.startswith("assert") or (
        isinstance(function, ast.Attribute) and ast.unparse(function.value) == _CHECK
    )
    return asserts and (not node.args or any(map(_can_fail, node.args)))


def _always_fails(expression: ast.expr) -> bool:
    """Whether it is `False` or the like, which says that the line must not be reached."""
    return isinstance(expression, ast.Constant) and not expression.value


def _is_true(expression: ast.expr) -> bool:
    """Whether it is true whatever its parts are, as the tuple in `assert (value == 1, "a message")`."""
    return isinstance(expression, ast.Tuple | ast.List | ast.Dict | ast.Lambda | ast.GeneratorExp)


def _can_fail(expression: ast.expr) -> bool:
    """Whether an expression depends on anything: constants do not, nor what is compared with itself."""
    if isinstance(expression, ast.Compare) and ast.dump(expression.left) in map(
        ast.dump, expression.comparators
    ):
        return False
    if isinstance(expression, ast.BoolOp) and isinstance(expression.op, ast.Or):
        return all(map(_can_fail, expression.values))
    return any(isinstance(node, ast.Name | ast.Call | ast.Attribute) for node in ast.walk(expression))
