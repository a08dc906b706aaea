"""From histories to results: applies every criterion's check, and adds the verdicts up."""

from collections.abc import Iterable, Mapping

from chaos.history import Event, History, Skipped
from grading.grade import SHARES
from grading.report import CriterionResult, ExerciseResult, Level, Moment, StartFailure
from lab import control
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.reading import describe, excerpt, starved
from lab.verdict import Verdict, failed, not_judged

TEXT_LENGTH = 300
LOG_LINE_LENGTH = 300
STARVED_SECONDS = 2.0
"""So long the lab may have stood still in an experiment before a failure in it is the machine's as well."""


def judge(exercises: Iterable[Exercise], histories: Mapping[str, History]) -> tuple[ExerciseResult, ...]:
    """Judge exercises on the histories of their experiments, by experiment name."""
    return tuple(_exercise(exercise, histories) for exercise in exercises)


def disturbed(exercises: Iterable[Exercise], results: Iterable[ExerciseResult]) -> tuple[Experiment, ...]:
    """Return the experiments of all criteria that the machine has left without a verdict, each once."""
    left = {
        criterion.number
        for result in results
        for criterion in result.criteria
        if criterion.status == "not judged" and criterion.blame == "machine"
    }
    criteria = (criterion for exercise in exercises for criterion in exercise.criteria)
    needed = (one for criterion in criteria if criterion.number in left for one in criterion.experiments)
    return tuple(dict.fromkeys(needed))


def fail_all(exercises: Iterable[Exercise], verdict: Verdict) -> tuple[ExerciseResult, ...]:
    """Give every criterion the same verdict: for a submission that could not be run at all."""
    return tuple(
        _scored(exercise, [_result(criterion, verdict, {}) for criterion in exercise.criteria])
        for exercise in exercises
    )


def start_failure(histories: Mapping[str, History]) -> StartFailure | None:
    """Return why the service did not start in the first experiment where it tried and failed."""
    for name, history in histories.items():
        problem = _problem(history, histories)
        if problem and problem.status == "failed" and control.log_tail(history):
            log = tuple(excerpt(line, LOG_LINE_LENGTH) for line in control.log_tail(history))
            return StartFailure(experiment=name, reason=problem.actual, log=log)
    return None


def _exercise(exercise: Exercise, histories: Mapping[str, History]) -> ExerciseResult:
    results = []
    for criterion in exercise.criteria:
        needed = {one.name: histories[one.name] for one in criterion.experiments if one.name in histories}
        results.append(_result(criterion, _verdict(criterion, needed, histories), needed))
    return _scored(exercise, results)


def _verdict(criterion: Criterion, histories: dict[str, History], every: Mapping[str, History]) -> Verdict:
    for experiment in criterion.experiments:
        if experiment.name not in histories:
            return not_judged(f"there is no history of the experiment '{experiment.name}'")
    for history in histories.values():
        if problem := _problem(history, every) or control.interrupted(history):
            return problem
    try:
        return _certain(criterion.judge(histories), histories.values())
    except Exception as error:  # noqa: BLE001 - a check that trips is the grader's fault, never a lost point
        return not_judged(f"the check could not read the history ({type(error).__name__}: {error})")


def _problem(history: History, every: Mapping[str, History]) -> Verdict | None:
    """Return why nothing can be judged on a history; what was skipped was lost by whoever lost the start before it."""
    skipped = history.first(Skipped)
    before = every.get(skipped.experiment) if skipped else None
    problem = control.problem(history)
    if before is None:
        return problem and _certain(problem, [history])
    cause = control.problem(before)
    return cause if cause and cause.blame != "submission" else problem and _certain(problem, [before])


def _certain(verdict: Verdict, histories: Iterable[History]) -> Verdict:
    """Return a verdict as it is, but no loss of points where the machine may have been what failed.

    What passes on a machine that is too slow has passed; a check that a slow machine could help does not let it.
    """
    seconds = max(map(starved, histories), default=0.0)
    if verdict.passed or verdict.blame != "submission" or seconds < STARVED_SECONDS:
        return verdict
    reason = f"the machine was too busy to tell for {seconds:.1f} s; what was seen: {verdict.actual}"
    return not_judged(reason, *verdict.evidence, blame="machine")


def _result(criterion: Criterion, verdict: Verdict, histories: Mapping[str, History]) -> CriterionResult:
    moments = [_moment(event, histories) for event in verdict.evidence]
    return CriterionResult(
        number=criterion.number,
        name=criterion.name,
        title=criterion.title,
        essential=criterion.essential,
        status=verdict.status,
        expected=excerpt(verdict.expected, TEXT_LENGTH),
        actual=excerpt(verdict.actual, TEXT_LENGTH),
        blame=verdict.blame,
        moments=tuple(moment for moment in moments if moment),
        hint=criterion.hint if verdict.status == "failed" else "",
    )


def _moment(event: Event, histories: Mapping[str, History]) -> Moment | None:
    for name, history in histories.items():
        for position, candidate in enumerate(history.events):
            if candidate is event:
                return Moment(experiment=name, event=position, t=event.t, text=describe(history, event))
    return None


def _scored(exercise: Exercise, results: list[CriterionResult]) -> ExerciseResult:
    level = level_of(results)
    return ExerciseResult(
        number=exercise.number,
        title=exercise.title,
        core=exercise.core,
        points=exercise.points * SHARES[level],
        max_points=exercise.points,
        level=level,
        criteria=tuple(results),
    )


def level_of(results: Iterable[CriterionResult]) -> Level:
    """Complete when every criterion passes, functional when every essential one does (EXAM.md, scoring)."""
    ended = list(results)
    if all(one.status == "passed" for one in ended):
        return "complete"
    if all(one.status == "passed" for one in ended if one.essential):
        return "functional"
    return "none"


def unrunnable(reason: str) -> Verdict:
    """Return the verdict on every criterion of a submission that cannot be installed or started by any rule."""
    return failed("a submission that installs and starts", reason)
