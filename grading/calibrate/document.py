"""The page CALIBRATION.md of an assessment: what the calibration has shown, failures and what was not run included."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from grading.calibrate.corpus import Case, Kind
from grading.calibrate.generated.section import section
from grading.calibrate.matrix import MEANINGS, legend, row, surprises
from grading.calibrate.outcome import Journal, Outcome
from grading.calibrate.tally import Accuracy, accuracies, as_expected, caught, flakes
from lab.exercise import Exercise

KINDS: Mapping[Kind, str] = {
    "reference": "the reference solution",
    "mutant": "mutants written by hand",
    "generated": "mutants made by machine",
    "solution": "complete solutions",
    "half": "half solutions",
    "variation": "variations",
}
ROUND_COLUMNS = (
    "begun",
    "services in",
    "busy loops beside",
    "cases",
    "graded in whole",
    "as expected",
    "verdicts",
    "unexpected",
    "cases with experiments run again",
    "seconds a case",
)
Run = tuple[Case, Outcome]
Generated = tuple[Sequence[Case], Sequence[Run]]
"""The mutants made by machine, and runs of some."""
NONE: Generated = ((), ())


def newest(journal: Journal, case: Case) -> Outcome | None:
    """Return the run of a case that tells most: of the present code, of the whole assessment, and the latest, in that order."""
    fingerprint = case.fingerprint()
    return max(
        journal.of(case.name),
        key=lambda one: (one.fingerprint == fingerprint, len(one.exercises), one.started),
        default=None,
    )


def latest(journal: Journal, cases: Iterable[Case]) -> list[Run]:
    """Return the run of each case that tells most, where there is one."""
    return [(case, found) for case in cases if (found := newest(journal, case))]


def document(
    corpus: Sequence[Case], journal: Journal, exercises: Sequence[Exercise], generated: Generated = NONE
) -> str:
    """Return the page."""
    runs = latest(journal, corpus)
    every = [(case, outcome) for case in corpus for outcome in journal.of(case.name)]
    numbers = [criterion.number for exercise in exercises for criterion in exercise.criteria]
    sections = [
        _summary(corpus, runs, len(exercises), generated),
        _rounds(every, len(exercises)),
        _wrong(runs),
        _once_wrong(corpus, runs, journal),
        _baseline(runs),
        "\n".join(["## Matrix", "", "```text", *_matrix(runs, exercises), "```"]),
        _accuracy(accuracies(numbers, every)),
        _flakes(journal.outcomes),
        section(*generated),
        _variations(runs),
        _mutants(runs),
        _not_run(corpus, runs),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(corpus: Sequence[Case], runs: Sequence[Run], count: int, generated: Generated) -> str:
    day = max((outcome.started[:10] for _, outcome in runs), default="never")
    whole = sum(len(outcome.exercises) == count for _, outcome in runs)
    stale = sum(case.fingerprint() != outcome.fingerprint for case, outcome in runs)
    right = sum(as_expected(case, outcome) for case, outcome in runs)
    every, all_runs = [*corpus, *generated[0]], [*runs, *generated[1]]
    rows = [
        (
            KINDS[kind],
            [case for case in every if case.kind == kind],
            [run for run in all_runs if run[0].kind == kind],
        )
        for kind in KINDS
    ]
    return "\n".join(
        [
            "# Calibration",
            "",
            "How right the grader is, measured: on mutants of the reference solution, each a small fault that a student",
            "would really make; on mutants that were made by machine, a fault of every kind at every place; on whole solutions",
            "of other people's; and on variations, right services in another dress. Written by",
            "`grading calibrate --write`; the corpus is in `calibration/`.",
            "",
            f"Last run {day} on {os.cpu_count()} cores, {platform.system()}.",
            f"{len(runs)} of {len(corpus)} cases were run, and {right} of them came out as expected in every verdict.",
            f"{whole} were graded in whole, the others (`--quick`) in the exercises that the fault is about.",
            f"{stale} of the runs are of an earlier state of the code.",
            "",
            "| cases | in the corpus | run | as expected |",
            "|---|---|---|---|",
            *(
                f"| {kind} | {len(known)} | {len(done)} | {sum(as_expected(*run) for run in done)} |"
                for kind, known, done in rows
            ),
        ]
    )


def _rounds(every: Iterable[Run], count: int) -> str:
    """Tell of repeated runs: the n-th of each case, under the same conditions, make up a round."""
    rounds: dict[tuple[str, int, int], list[Run]] = {}
    seen: Counter[tuple[str, str, int]] = Counter()
    for case, outcome in every:
        seen[case.name, outcome.runtime, outcome.busy] += 1
        number = seen[case.name, outcome.runtime, outcome.busy]
        rounds.setdefault((outcome.runtime, outcome.busy, number), []).append((case, outcome))
    rows = [
        _round(runtime, busy, rounds[runtime, busy, number], count)
        for runtime, busy, number in sorted(rounds, reverse=True)
    ]
    if not rows:
        return ""
    head = f"| {' | '.join(ROUND_COLUMNS)} |"
    rule = "|" + "---|" * len(ROUND_COLUMNS)
    return "\n".join(["## Rounds", "", head, rule, *sorted(rows)])


def _round(runtime: str, busy: int, runs: Sequence[Run], count: int) -> str:
    begun = min(outcome.started for _, outcome in runs)[:16].replace("T", " ")
    right = sum(as_expected(case, outcome) for case, outcome in runs)
    verdicts = sum(len(outcome.verdicts) for _, outcome in runs)
    wrong = sum(len(surprises(case, outcome)) for case, outcome in runs)
    again = sum(bool(outcome.repeated) for _, outcome in runs)
    seconds = median(outcome.seconds for _, outcome in runs)
    whole = sum(len(outcome.exercises) == count for _, outcome in runs)
    kind = {"process": "processes", "sandbox": "boxes", "docker": "containers"}[runtime]
    cells = [begun, kind, busy, len(runs), whole, right, verdicts, wrong, again, f"{seconds:.0f}"]
    return f"| {' | '.join(map(str, cells))} |"


def _wrong(runs: Iterable[Run]) -> str:
    told = [f"- `{case.name}`: {one}" for case, outcome in runs for one in surprises(case, outcome)]
    return "\n".join(["## What came out wrong", "", *(told or ["Nothing."])])


def _once_wrong(corpus: Iterable[Case], runs: Iterable[Run], journal: Journal) -> str:
    """Tell of earlier runs, judged by what is expected now: most have led to a change of the grader or of a mutant."""
    latest = [outcome for _, outcome in runs]
    told = [
        f"- `{case.name}`, {outcome.started[:16]}: {one}"
        for case in corpus
        for outcome in journal.of(case.name)
        if outcome not in latest
        for one in surprises(case, outcome)
    ]
    return "\n".join(["## What came out wrong before", "", *told]) if told else ""


def _baseline(runs: Sequence[Run]) -> str:
    told = [run for run in runs if run[0].kind == "mutant" and run[1].smoke.satisfied is not None]
    if not told:
        return ""
    smoked = sum(outcome.smoke.satisfied is True for _, outcome in told)
    unnoticed = sum(
        not any(status == "failed" for status in outcome.verdicts.values()) for _, outcome in told
    )
    missed = sum(not caught(case, outcome) for case, outcome in told)
    rows = {
        "a smoke script": smoked,
        "this grader: nothing has failed": unnoticed,
        "this grader: not every criterion that must fail has failed": missed,
    }
    return "\n".join(
        [
            "## Beside a smoke script",
            "",
            "Such assessments are usually verified by a script that asks whether the service is up, whether a request is",
            'answered with 200, and whether the log has the word "retry". It is given the logs of all experiments here;',
            f"{len(told)} mutants were run with an experiment in which the model fails.",
            "",
            "| missed by | mutants | share |",
            "|---|---|---|",
            *(
                f"| {who} | {count} of {len(told)} | {_percent(count / len(told))} |"
                for who, count in rows.items()
            ),
        ]
    )


def _matrix(runs: Iterable[Run], exercises: Sequence[Exercise]) -> list[str]:
    return [legend(exercises), *(row(case, outcome, exercises) for case, outcome in runs), "", MEANINGS]


def _accuracy(found: Iterable[Accuracy]) -> str:
    return "\n".join(
        [
            "## Criteria",
            "",
            "Over all runs. Sensitivity: of those that must fail a criterion, how many did. Specificity: of those that must",
            "pass it, how many did. Without a verdict: runs in which there had to be one, and was none.",
            "",
            "| criterion | sensitivity | specificity | without a verdict |",
            "|---|---|---|---|",
            *(
                f"| {one.number} | {one.failed}/{one.must_fail} ({_percent(one.sensitivity)})"
                f" | {one.passed}/{one.must_pass} ({_percent(one.specificity)}) | {one.undecided} |"
                for one in found
            ),
        ]
    )


def _flakes(outcomes: Iterable[Outcome]) -> str:
    found = flakes(outcomes)
    if found.rate is None:
        return "## Repeated runs\n\nNo case was run twice with the same code."
    changed = ", ".join(f"{number} ({count})" for number, count in sorted(found.changed.items())) or "none"
    return (
        f"## Repeated runs\n\nOf {found.compared} verdicts that were given again by the same code on the same case,"
        f" {sum(found.changed.values())} changed ({found.rate:.2%}): {changed}."
    )


def _mutants(runs: Iterable[Run]) -> str:
    words = {True: "yes", False: "no", None: "not asked"}
    rows = [
        f"| `{case.name}` | {case.story} | {', '.join(sorted(case.fails))} | {words[outcome.smoke.satisfied]} |"
        for case, outcome in runs
        if case.kind == "mutant"
    ]
    head = [
        "## Mutants written by hand",
        "",
        "| mutant | story | must fail | passes a smoke script |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) if rows else ""


def _variations(runs: Iterable[Run]) -> str:
    rows = [
        f"| `{case.name}` | {case.story} | {'yes' if as_expected(case, outcome) else 'no'} |"
        for case, outcome in runs
        if case.kind == "variation"
    ]
    head = ["## Variations", "", "| variation | story | passes everything |", "|---|---|---|"]
    return "\n".join([*head, *rows]) if rows else ""


def _not_run(corpus: Iterable[Case], runs: Iterable[Run]) -> str:
    done = {case.name for case, _ in runs}
    names = [f"`{case.name}`" for case in corpus if case.name not in done]
    return f"## Not run\n\n{', '.join(names)}." if names else ""


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
