"""The contract has fifty items, and each has a test."""

import ast
from pathlib import Path

ITEMS = range(1, 51)


def items_with_tests() -> set[int]:
    """The numbers in the names of the conformance tests."""
    numbers = set()
    for file in Path(__file__).parent.glob("test_conformance_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                prefix, _, rest = node.name.partition("_")
                number = rest.partition("_")[0]
                if prefix == "test" and number.isdecimal():
                    numbers.add(int(number))
    return numbers


def test_every_item_is_tested() -> None:
    assert items_with_tests() == set(ITEMS)
