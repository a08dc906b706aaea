"""Plans of a few lines, and the one of this repository on its reference solution as it is."""

import ast
from pathlib import Path

import pytest

from grading.calibrate.corpus import Case, Corpus, sample
from grading.calibrate.generated.cases import cases
from grading.calibrate.generated.mutants import Mutant, mutants, story, unused
from grading.calibrate.generated.plan import Plan
from grading.calibrate.generated.starts import stillborn
from grading.errors import UsageError
from tests.exam import CONTRACT, EXAM

pytestmark = pytest.mark.medium

CORPUS = Corpus.of(EXAM)
PLAN = Plan.read(CORPUS.folder / "generated")


@pytest.fixture(scope="module")
def made() -> list[Mutant]:
    return mutants(PLAN, CORPUS.changed)


@pytest.fixture(scope="module")
def all_cases() -> tuple[Case, ...]:
    return cases(CORPUS)


def plan(**parts: object) -> Plan:
    return Plan.model_validate(parts)


def rule(**parts: object) -> dict[str, object]:
    return {"name": "other", "files": ["*.py"], "pattern": "(x)", "new": "y", "exercises": [1], **parts}


def test_the_plan_makes_many_faults_in_every_exercise(made: list[Mutant]) -> None:
    breaking = [one for one in made if not one.equivalent]

    assert len(breaking) >= 250
    for exercise in EXAM.exercises:
        assert sum(exercise.number in one.exercises for one in breaking) >= 25


def test_no_two_mutants_are_alike(made: list[Mutant]) -> None:
    assert len({(one.file, one.text) for one in made}) == len(made)
    assert len({one.name for one in made}) == len(made)
    assert all(one.text != (CORPUS.changed / one.file).read_text(encoding="utf-8") for one in made)


def test_mutants_are_python_that_compiles(made: list[Mutant]) -> None:
    for one in made:
        if one.file.endswith(".py"):
            compile(ast.parse(one.text), one.file, "exec")


def test_names_suit_files_and_shells(made: list[Mutant]) -> None:
    assert all(one.name.isascii() and len(one.name) <= 120 for one in made)
    assert not any(set(one.name) & set("/ '\"$*?\\|") for one in made)


def test_mutants_are_the_same_every_time(made: list[Mutant]) -> None:
    assert mutants(PLAN, CORPUS.changed) == made


def test_every_part_of_the_plan_fits_the_solution_as_it_is() -> None:
    assert list(unused(PLAN, CORPUS.changed)) == []


def test_a_part_that_the_solution_has_outgrown_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    stale = plan(
        targets=[{"file": "a.py", "operators": ["handlers"], "exercises": [1]}],
        rules=[rule(pattern="z")],
        equivalent=[{"name": "nothing*", "why": "Why not?"}],
    )

    assert list(unused(stale, tmp_path)) == ["target a.py ('*',)", "rule other", "equivalent nothing*"]


def test_a_rule_makes_a_mutant_for_each_match_and_value(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = x\n")
    made = mutants(plan(rules=[rule(new=r"{value}\1", values={"one": "a", "two": "b"}, named=1)]), tmp_path)

    assert {one.name: one.text for one in made} == {
        "a.other.one.x": "ax = x\n",
        "a.other.one.x.2": "x = ax\n",
        "a.other.two.x": "bx = x\n",
        "a.other.two.x.2": "x = bx\n",
    }


def test_faults_that_say_the_same_are_one_about_both_exercises(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    made = mutants(
        plan(rules=[rule(), rule(new="(y)"), rule(name="same", new="y ", exercises=[2])]), tmp_path
    )

    assert [(one.name, one.exercises) for one in made if one.text == "y = 1\n"] == [("a.other", {1, 2})]


def test_what_does_not_compile_or_changes_nothing_is_no_mutant(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")

    assert mutants(plan(rules=[rule(new="("), rule(new="x ")]), tmp_path) == []


def test_a_mutant_is_told_by_its_lines() -> None:
    assert story("a\nb\nc\n", "a\nx\nc\n") == "-b\n+x"


def test_an_operator_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="there is no operator other; there are statements"):
        plan(targets=[{"file": "a.py", "operators": ["other"], "exercises": [1]}])


def test_a_case_is_the_reference_with_one_file_changed(
    made: list[Mutant], all_cases: tuple[Case, ...], tmp_path: Path
) -> None:
    case = all_cases[0]

    case.write(tmp_path)

    assert case.kind == "generated"
    [change] = case.changes
    assert (tmp_path / change.file).read_text(encoding="utf-8") == made[0].text
    assert (tmp_path / "uv.lock").exists()


def test_an_assessment_without_a_plan_has_none(tmp_path: Path) -> None:
    assert cases(Corpus(tmp_path, tmp_path, tmp_path, (".",))) == ()


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "generated").mkdir()

    with pytest.raises(UsageError, match="cannot be followed"):
        cases(Corpus(tmp_path, tmp_path, tmp_path, (".",)))


def test_a_sample_is_spread_over_modules(all_cases: tuple[Case, ...]) -> None:
    breaking = [case for case in all_cases if not case.equivalent]

    picked = sample(breaking, 40)

    assert picked == sample(breaking, 40)
    assert len({case.changes[0].file for case in picked}) > 12


@pytest.mark.slow
def test_what_does_not_start_is_found_out(all_cases: tuple[Case, ...]) -> None:
    dead = next(
        one for one in all_cases if one.name == "llm_client.LLMClient.__init__.AsyncOpenAI-without-api_key"
    )
    alive = next(one for one in all_cases if one.name == "tokens.leeway.600")

    assert stillborn([dead, alive], CONTRACT) == {dead.name: "exit code 2"}


def test_files_that_are_no_python_are_not_started(all_cases: tuple[Case, ...], tmp_path: Path) -> None:
    case = next(one for one in all_cases if one.changes[0].file == ".env.example")

    assert isinstance(case, Case)
    assert stillborn([case], CONTRACT) == {}
