from collections import Counter
from pathlib import Path

import pytest

from exercises.catalogue import NAMES, assessment
from grading.calibrate.corpus import ROOT, Case, Corpus, sample
from grading.calibrate.files import Change, StaleChangeError, apply
from grading.errors import UsageError
from tests.exam import EXAM

CORPUS = Corpus.of(EXAM).cases()
MUTANTS = [case for case in CORPUS if case.kind == "mutant"]
HALVES = [case for case in CORPUS if case.kind == "half"]
VARIATIONS = [case for case in CORPUS if case.kind == "variation"]
NUMBERS = {criterion.number for exercise in EXAM.exercises for criterion in exercise.criteria}


CHANGED = [case for name in NAMES for case in Corpus.of(assessment(name)).cases() if case.changes]


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # some faults are just that
@pytest.mark.parametrize("case", CHANGED, ids=lambda case: case.name)
def test_changes_fit_the_service_and_leave_python(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)

    for changed in {change.file for change in case.changes}:
        text = (tmp_path / changed).read_text(encoding="utf-8")
        if changed.endswith(".py"):
            compile(text, changed, "exec")
        original = case.source / changed
        assert not original.exists() or text != original.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", MUTANTS, ids=lambda case: case.name)
def test_a_mutant_names_criteria_that_there_are(case: Case) -> None:
    assert case.fails
    assert case.fails | case.open <= NUMBERS
    assert not case.fails & case.open
    assert case.exercises & {int(number.partition(".")[0]) for number in case.fails}


@pytest.mark.parametrize("case", HALVES, ids=lambda case: case.name)
def test_a_half_has_points_for_some_criteria_and_a_reason(case: Case) -> None:
    assert case.points
    assert case.story
    assert case.fails
    assert case.fails | case.open < NUMBERS


def test_a_half_lacks_what_it_removes_and_keeps_the_rest_of_its_solution(tmp_path: Path) -> None:
    half = next(case for case in HALVES if case.removed)

    half.write(tmp_path)

    touched = {*half.removed, *(change.file for change in half.changes)}
    kept = {path.relative_to(half.source).as_posix(): path for path in half.source.rglob("*.py")}
    assert not any((tmp_path / name).exists() for name in half.removed)
    assert all(
        (tmp_path / name).read_bytes() == path.read_bytes()
        for name, path in kept.items()
        if name not in touched
    )


def test_a_variation_must_pass_everything() -> None:
    assert len(VARIATIONS) >= 8
    assert all(case.story and not case.fails and not case.open for case in VARIATIONS)
    assert any(case.source != CORPUS[0].source for case in VARIATIONS)
    assert any(not case.exercises for case in VARIATIONS)


@pytest.mark.parametrize("key", ["variations", "mutants"])
def test_a_file_may_call_its_variations_mutants(key: str, tmp_path: Path) -> None:
    write_corpus(
        tmp_path,
        "variations/ex4.toml",
        f"[[{key}]]\nname = 'other'\nstory = 'So.'\nchanges = []\nfails = []\n",
    )

    found = Corpus.of(EXAM, tmp_path).cases()

    assert [(case.name, case.kind, case.exercises) for case in found if case.name == "other"] == [
        ("other", "variation", frozenset({4}))
    ]


def test_a_variation_that_fails_something_is_none(tmp_path: Path) -> None:
    write_corpus(
        tmp_path,
        "variations/ex4.toml",
        "[[variations]]\nname = 'x'\nstory = 'S'\nchanges = []\nfails = ['4.1']\n",
    )

    with pytest.raises(UsageError, match=r"variations/ex4\.toml"):
        Corpus.of(EXAM, tmp_path).cases()


def write_corpus(root: Path, name: str, text: str) -> None:
    """Write a file of a corpus that has one mutant besides."""
    files = {
        "mutants/ex1.toml": "[[mutants]]\nname = 'm'\nstory = 'S'\nfails = ['1.1']\nchanges = []\n",
        name: text,
    }
    for path, content in files.items():
        (root / "calibration" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "calibration" / path).write_text(content)


def test_every_criterion_has_a_mutant_and_every_exercise_three() -> None:
    assert frozenset[str]().union(*(case.fails for case in MUTANTS)) == NUMBERS
    counts = Counter(case.exercises for case in MUTANTS)
    assert all(counts[frozenset({exercise.number})] >= 3 for exercise in EXAM.exercises)
    assert len(MUTANTS) >= 60


@pytest.mark.parametrize("text", ["nothing of it", "x = 1\nx = 1\n"], ids=["gone", "twice"])
def test_a_change_that_does_not_fit_is_stale(text: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(text)

    with pytest.raises(StaleChangeError, match=r"module\.py"):
        apply(Change(file="module.py", old="x = 1", new="x = 2"), tmp_path)

    assert (tmp_path / "module.py").read_text() == text


def test_a_change_of_a_file_that_is_gone_is_stale(tmp_path: Path) -> None:
    with pytest.raises(StaleChangeError, match="0 times"):
        apply(Change(file="module.py", old="x = 1", new="x = 2"), tmp_path)


def test_a_change_without_old_text_makes_a_file(tmp_path: Path) -> None:
    apply(Change(file="new/module.py", new="x = 2\n"), tmp_path)

    assert (tmp_path / "new" / "module.py").read_text() == "x = 2\n"


def test_the_reference_is_written_as_it_is(tmp_path: Path) -> None:
    reference = CORPUS[0]

    reference.write(tmp_path)

    assert reference.kind == "reference"
    assert (tmp_path / "uv.lock").exists()
    assert (tmp_path / "src/api/main.py").read_bytes() == (reference.source / "src/api/main.py").read_bytes()


def test_a_fingerprint_is_of_the_change_and_the_grader(tmp_path: Path) -> None:
    one, other = MUTANTS[:2]
    assert one.fingerprint() == one.fingerprint()
    assert one.fingerprint() != other.fingerprint()
    assert one.fingerprint() != one.fingerprint(tmp_path)


def test_a_sample_is_spread_over_exercises_and_kinds() -> None:
    picked = sample(CORPUS, 7)

    about = {number for case in picked if case.kind == "mutant" for number in case.exercises}
    assert about == {1, 2, 3, 4, 5, 6}
    assert sample(CORPUS, len(CORPUS)) == tuple(sorted(CORPUS, key=sample(CORPUS, len(CORPUS)).index))
    assert sample(CORPUS, 0) == ()


def test_every_assessment_has_a_page_of_its_own() -> None:
    pages = [Corpus.of(assessment(name)).page.relative_to(ROOT) for name in NAMES]

    assert Path("docs/CALIBRATION.md") in pages
    assert len(set(pages)) == len(NAMES)


def test_without_a_corpus_there_is_nothing_to_calibrate(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="calibrate in the instructor's repository"):
        Corpus.of(EXAM, tmp_path).cases()


def test_a_corpus_that_cannot_be_read_is_told_by_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "calibration" / "mutants"
    folder.mkdir(parents=True)
    (folder / "ex1.toml").write_text("[[mutants]]\nname = 'nameless'\n")

    with pytest.raises(UsageError, match=r"ex1\.toml"):
        Corpus.of(EXAM, tmp_path).cases()
