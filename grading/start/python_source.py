"""What a Python file of a submission says, read without running it."""

import ast


def imports(source: str) -> set[str]:
    """Return the top-level names that a module imports; "" for a relative import."""
    names = set()
    for node in ast.walk(_parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("" if node.level else (node.module or "").partition(".")[0])
    return names


def fixed_port(source: str) -> int | None:
    """Return the number in `uvicorn.run(..., port=8000)`."""
    for node in ast.walk(_parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("run"):
            for keyword in node.keywords:
                if keyword.arg == "port" and isinstance(keyword.value, ast.Constant):
                    return int(keyword.value.value) if isinstance(keyword.value.value, int) else None
    return None


def _parse(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])  # its start will say what is wrong
