"""What counts as shared code: not names, comments or places, and nothing that everybody was given."""

import ast
from pathlib import Path

import pytest

from grading.classroom.similarity import (
    GRAM,
    WINDOW,
    Fingerprints,
    dump,
    fingerprints,
    load,
    similar_pairs,
    winnow,
)

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parent.parent.parent.parent
ONE = (ROOT / "chaos/plain_text.py").read_text() + (ROOT / "grading/command.py").read_text()
OTHER = (ROOT / "lab/scoring.py").read_text()
THIRD = (ROOT / "chaos/recorder.py").read_text() + (ROOT / "grading/keeper.py").read_text()


class Renamed(ast.NodeTransformer):
    """Gives every name another, and every text too."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(f"other_{node.id}", node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(f"other_{node.arg}", node.annotation)


def of(folder: Path, **sources: str) -> Fingerprints:
    folder.mkdir()
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return fingerprints(folder)


def test_renamed_and_moved_code_is_found(tmp_path: Path) -> None:
    copied = ast.unparse(Renamed().visit(ast.parse(ONE)))
    original = of(tmp_path / "a", service=ast.unparse(ast.parse(ONE)))
    copy = of(tmp_path / "b", other=f"import sys\n\n{OTHER}\n", moved=f"# mine\n{copied}")

    [pair] = similar_pairs({"a": original, "b": copy}, {})

    assert pair.share > 0.9
    assert pair.files == (("service.py", "moved.py"),)


def test_other_code_is_not_told(tmp_path: Path) -> None:
    found = {
        "a": of(tmp_path / "a", x=ONE),
        "b": of(tmp_path / "b", x=OTHER),
        "c": of(tmp_path / "c", x=THIRD),
    }

    assert similar_pairs(found, {}) == []


def test_what_was_given_is_left_out(tmp_path: Path) -> None:
    given = of(tmp_path / "given", app=ONE)
    first, second = of(tmp_path / "a", app=ONE + OTHER), of(tmp_path / "b", app=ONE + THIRD)

    assert [pair.share > 0.4 for pair in similar_pairs({"a": first, "b": second}, {})] == [True]
    assert similar_pairs({"a": first, "b": second}, given) == []


def test_what_most_of_a_class_share_is_left_out(tmp_path: Path) -> None:
    same = of(tmp_path / "a", app=ONE)
    alone = of(tmp_path / "b", app=OTHER)

    assert similar_pairs({**{f"s{number}": same for number in range(5)}, "x": alone}, {}) == []
    [pair] = similar_pairs({"s1": same, "s2": same, **{f"x{number}": alone for number in range(1)}}, {})
    assert (pair.first, pair.second, pair.share) == ("s1", "s2", 1.0)


def test_any_passage_that_is_long_enough_is_in_common() -> None:
    passage = [f"p{number}" for number in range(GRAM + WINDOW - 1)]
    first = [f"a{number}" for number in range(100)] + passage + [f"b{number}" for number in range(57)]
    second = [f"c{number}" for number in range(13)] + passage + [f"d{number}" for number in range(200)]

    assert set(winnow(first)) & set(winnow(second))
    assert len(set(winnow(first))) < len(first) / 2


@pytest.mark.parametrize("source", ["", "(((", "x = '''", "\0", "a = 1\n\tb\n  c", "\u0661" * 10])
def test_what_is_no_python_harms_nothing(source: str, tmp_path: Path) -> None:
    assert similar_pairs({"a": of(tmp_path / "a", app=source), "b": of(tmp_path / "b", app=ONE)}, {}) == []


def test_the_grader_in_a_hand_out_is_no_work_of_the_students(tmp_path: Path) -> None:
    (tmp_path / "a/grading").mkdir(parents=True)
    (tmp_path / "a/grading/score.py").write_text(ONE)

    assert fingerprints(tmp_path / "a") == {}


def test_fingerprints_are_kept(tmp_path: Path) -> None:
    found = of(tmp_path / "a", app=ONE)
    dump(found, tmp_path / "kept.json")

    assert load(tmp_path / "kept.json") == found
    assert load(tmp_path / "none.json") == {}
