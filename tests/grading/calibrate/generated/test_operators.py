"""Each kind of fault on a few lines of its own."""

import pytest

from grading.calibrate.generated.options import Options
from grading.calibrate.generated.plan import OPERATORS
from grading.calibrate.generated.source import Source, word


def faults(kind: str, text: str, **options: object) -> dict[str, str]:
    """Return the texts that a kind of fault leaves, by what is wrong in them."""
    found = OPERATORS[kind](Source(text), Options.model_validate(options))
    return {f"{fault.scope}.{fault.what}": fault.text for fault in found}


@pytest.mark.parametrize(
    ("kind", "text", "options", "expected"),
    [
        ("statements", "def f(x):\n    g(x)\n", {}, {"f.without-g-x": "def f(x):\n    pass\n"}),
        (
            "statements",
            "async def f(x):\n    '''Ä'''\n    await g()\n    y = 1\n",
            {},
            {"f.without-await-g": "async def f(x):\n    '''Ä'''\n    pass\n    y = 1\n"},
        ),
        ("statements", "if x:\n    raise y\n", {}, {}),
        (
            "conditions",
            "if x < 1:\n    y\n",
            {},
            {
                "module.never-x-1": "if ((x < 1) and False):\n    y\n",
                "module.always-x-1": "if ((x < 1) or True):\n    y\n",
            },
        ),
        ("conditions", "while x:\n    y\n", {}, {"module.never-x": "while ((x) and False):\n    y\n"}),
        ("operands", "x or y", {}, {"module.ignores-x": "((y))", "module.ignores-y": "((x))"}),
        ("boundaries", "x >= 1", {}, {"module.off-by-one-x-1": "x > 1"}),
        ("boundaries", "x == 1", {}, {}),
        (
            "handlers",
            "try:\n    x\nexcept OSError as e:\n    y\n",
            {},
            {
                "module.OSError-not-caught": "try:\n    x\nexcept () as e:\n    y\n",
                "module.OSError-is-any": "try:\n    x\nexcept Exception as e:\n    y\n",
            },
        ),
        (
            "timeouts",
            "asyncio.timeout(x + 1)",
            {"factors": [3]},
            {
                "module.no-limit-x-1": "asyncio.timeout(None)",
                "module.3-times-x-1": "asyncio.timeout(3 * (x + 1))",
            },
        ),
        (
            "results",
            "def f():\n    return x\n",
            {"values": ["True"]},
            {"f.True-for-x": "def f():\n    return True\n"},
        ),
        ("keywords", "f(1, a=2, **b)", {}, {"module.f-without-a": "f(1, **b)"}),
        (
            "entries",
            "{'a': 1, **b}",
            {},
            {"module.no-a": "{**b}", "module.a-renamed": "{'the_a': 1, **b}"},
        ),
        (
            "elements",
            "x: dict[str, int] = (1, 2)",
            {},
            {"module.no-1": "x: dict[str, int] = (2,)", "module.no-2": "x: dict[str, int] = (1,)"},
        ),
        (
            "order",
            "[a(), b(), c()]",
            {},
            {
                "module.a-at-2": "[b(), a(), c()]",
                "module.a-at-3": "[b(), c(), a()]",
                "module.b-at-3": "[a(), c(), b()]",
                "module.c-at-1": "[c(), a(), b()]",
            },
        ),
        ("order", "[a(), 1]", {}, {}),
        (
            "numbers",
            "X = (1, 2)",
            {"factors": [3]},
            {
                "X.3-times": "X = (3 * (1), 3 * (2),)",
                "X.3-times-number-1": "X = (3 * (1), 2)",
                "X.3-times-number-2": "X = (1, 3 * (2))",
            },
        ),
        (
            "numbers",
            "class A:\n    def f(self, *, x=1): ...\n",
            {"where": ["A.f.x"], "values": ["0", "1"]},
            {"A.f.x.is-0": "class A:\n    def f(self, *, x=0): ...\n"},
        ),
        (
            "metadata",
            "x: Annotated[int, A(), B()]",
            {},
            {"module.no-A": "x: Annotated[int, B()]", "module.no-B": "x: Annotated[int, A()]"},
        ),
        ("metadata", "x: Annotated[int, A()]", {}, {"module.no-A": "x: int"}),
        (
            "flags",
            "class A(B):\n    x = True\n",
            {"base": "B", "names": ["x", "y"]},
            {
                "A.is-not-x": "class A(B):\n    pass\n",
                "A.is-y": "class A(B):\n    x = True\n    y = True\n",
            },
        ),
        ("flags", "class A(C):\n    x = True\n", {"base": "B", "names": ["x"]}, {}),
    ],
)
def test_a_kind_of_fault(kind: str, text: str, options: dict[str, object], expected: dict[str, str]) -> None:
    assert faults(kind, text, **options) == expected


def test_faults_are_where_they_are_asked_for() -> None:
    text = "class A:\n    def f(self):\n        if x: y()\n    def g(self):\n        if x: y()\n"

    assert {name.rpartition(".")[0] for name in faults("conditions", text, where=["A.g"])} == {"A.g"}


def test_what_is_above_a_fault_may_be_of_any_script() -> None:
    assert faults("boundaries", "y = '─┐'; x > 1") == {"module.off-by-one-x-1": "y = '─┐'; x >= 1"}


def test_a_word_suits_files_and_shells() -> None:
    assert word("await f(x, 'ä b')\n") == "await-f-x-b"
    assert word("()") == "empty"
    assert len(word("x" * 100)) == 40
