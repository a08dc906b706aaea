"""What the mutants made by machine have shown, as lines of text and as a section of docs/CALIBRATION.md."""

from collections import Counter
from collections.abc import Iterable, Sequence

from grading.calibrate.corpus import Case
from grading.calibrate.outcome import Outcome
from grading.calibrate.tally import lost

Run = tuple[Case, Outcome]


def line(case: Case, outcome: Outcome) -> str:
    """Return one line: what came of a mutant, and which criteria it lost."""
    return f"{_what_came(case, outcome):<14} {outcome.seconds:4.0f} s  {case.name}  {_criteria(outcome)}".rstrip()


def section(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """Return the section; empty where there are no such mutants."""
    if not cases:
        return ""
    equivalent = [case for case in cases if case.equivalent]
    came = Counter(_what_came(*run) for run in runs if not run[0].equivalent)
    judged = came["caught"] + came["missed"]
    told = [run for run in runs if _what_came(*run) in {"missed", "not equivalent"}]
    return "\n".join(
        [
            "## Mutants made by machine",
            "",
            "Faults of every kind that `calibration/generated/plan.toml` names, at every place of the reference solution where",
            "they fit. One is caught when it loses a criterion of an exercise that it is about; which one is not laid down.",
            "Some break no promise: `calibration/generated/equivalent.toml` says why.",
            "",
            "| | mutants |",
            "|---|---|",
            f"| made | {len(cases)} |",
            f"| break no promise, not run | {len(equivalent)} |",
            f"| do not start, not graded | {came['does not start']} |",
            f"| graded | {judged} |",
            f"| caught | {came['caught']} ({_share(came['caught'], judged)}) |",
            f"| not run | {len(cases) - len(equivalent) - judged - came['does not start']} |",
            "",
            *_by_exercise(cases, runs),
            "",
            "### What was missed",
            "",
            *([part for run in told for part in _told(*run)] or ["Nothing."]),
            "",
            "### What caught them",
            "",
            *_by_criterion(runs),
        ]
    )


def _what_came(case: Case, outcome: Outcome) -> str:
    if outcome.stillborn:
        return "does not start"
    if case.equivalent:
        return "not equivalent" if lost(outcome) else "equivalent"
    return "caught" if lost(outcome) else "missed"


def _criteria(outcome: Outcome) -> str:
    failed = [number for number, status in outcome.verdicts.items() if status == "failed"]
    left = [f"{number}?" for number, status in outcome.verdicts.items() if status == "not judged"]
    return " ".join(failed + left)


def _by_exercise(cases: Iterable[Case], runs: Iterable[Run]) -> list[str]:
    made = Counter(number for case in cases if not case.equivalent for number in case.exercises)
    done: Counter[tuple[str, int]] = Counter()
    for case, outcome in runs:
        done.update((_what_came(case, outcome), number) for number in case.exercises)
    return [
        "Some are about two exercises.",
        "",
        "| exercise | made, and breaking a promise | caught | missed |",
        "|---|---|---|---|",
        *(
            f"| {number} | {made[number]} | {done['caught', number]} | {done['missed', number]} |"
            for number in sorted(made)
        ),
    ]


def _by_criterion(runs: Iterable[Run]) -> list[str]:
    failed: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for _, outcome in runs:
        numbers = [number for number, status in outcome.verdicts.items() if status == "failed"]
        failed.update(numbers)
        alone.update(numbers if len(numbers) == 1 else ())
    return [
        "| criterion | mutants that failed it | and nothing else |",
        "|---|---|---|",
        *(f"| {number} | {failed[number]} | {alone[number]} |" for number in sorted(failed)),
    ]


def _told(case: Case, outcome: Outcome) -> list[str]:
    return [
        f"- `{case.name}`, {_what_came(case, outcome)}",
        "",
        "  ```diff",
        *_indented(case.story),
        "  ```",
        "",
    ]


def _indented(text: str) -> list[str]:
    return [f"  {one}" for one in text.splitlines()]


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else "-"
