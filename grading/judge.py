"""From histories to results: applies every criterion's check, and adds the verdicts up."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from chaos.history import (
    SERVICE,
    Began,
    Cleared,
    Event,
    Exited,
    Failure,
    HarnessFault,
    History,
    Launched,
    Skipped,
    Stall,
)
from chaos.http_client import TOO_MANY_PIECES
from chaos.output import TOO_MUCH_OUTPUT
from chaos.plain_text import plain
from grading.clues import Clues, look_for_clues
from grading.report import ControlFailure
from grading.run import again_side_by_side
from lab import control
from lab.axes import tally
from lab.control import Need
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.reading import describe, excerpt, starved
from lab.result import CriterionResult, ExerciseResult, Moment
from lab.scoring import Scoring
from lab.verdict import Verdict, failed, not_judged

TEXT_LENGTH = 300
LOG_HEAD, LOG_TAIL = 200, 400
"""Characters of a log line that is longer than both: where it begins, and where a traceback tells its cause."""
BURNT_SHARE = 0.2
"""Of all processors, used by the service's instances in the second attempt. One that answers a few requests idles."""
START_PROCESSOR_SECONDS = 3.0
"""What an instance may use without being suspected: large libraries take seconds to import."""
NONE_YET: Mapping[str, CriterionResult] = MappingProxyType({})
TRIPPED = "the check could not read the history"
STARVED_SECONDS = 2.0
"""So long the lab may have stood still in an experiment before a failure in it is the machine's as well."""


def judge(
    exercises: Iterable[Exercise],
    histories: Mapping[str, History],
    scoring: Scoring,
    judged: Mapping[str, CriterionResult] = NONE_YET,
    *,
    foreign: bool = False,
) -> tuple[ExerciseResult, ...]:
    """Judge exercises on the histories of their experiments, by experiment name.

    `judged` are the criteria, by number, that have a verdict on the same histories already. `foreign` are the histories
    of another version of the grader.
    """
    return tuple(
        scoring.result(
            exercise,
            [
                judged.get(one.number) or criterion(one, histories, foreign=foreign)
                for one in exercise.criteria
            ],
        )
        for exercise in exercises
    )


def disturbed(exercises: Iterable[Exercise], results: Iterable[ExerciseResult]) -> tuple[Experiment, ...]:
    """Return the experiments of all criteria that the machine or the grader has left without a verdict, each once."""
    left = {
        criterion.number
        for result in results
        for criterion in result.criteria
        if criterion.status == "not judged" and criterion.blame != "submission"
    }
    criteria = (criterion for exercise in exercises for criterion in exercise.criteria)
    needed = (one for criterion in criteria if criterion.number in left for one in criterion.experiments)
    return tuple(dict.fromkeys(needed))


def fail_all(exercises: Iterable[Exercise], verdict: Verdict, scoring: Scoring) -> tuple[ExerciseResult, ...]:
    """Give every criterion the same verdict: for a submission that could not be run at all."""
    return tuple(
        scoring.result(exercise, [result(one, verdict, {}) for one in exercise.criteria])
        for exercise in exercises
    )


def control_failure(histories: Mapping[str, History]) -> ControlFailure | None:
    """Return why the service did not start, or did not work with nothing broken, in the first experiment that saw it.

    None where it worked in any: what failed there once is told by the criteria that it leaves open.
    """
    failures = []
    for name, history in histories.items():
        if all(one.instance != SERVICE for one in history.of(Launched)):
            continue
        problem = _problem(history, histories, "answer")
        if problem is None:
            return None
        if problem.blame == "submission":
            failures.append((name, history, problem))
    if not failures:
        return None
    name, history, problem = failures[0]
    end = control.moment(history)
    log = control.log_around(history, end) if end else control.log_tail(history)
    return ControlFailure(
        experiment=name,
        reason=problem.actual,
        started=end is not None,
        answer=plain(describe(history, end)) if end else "",
        log=tuple(map(_shorten, log)),
    )


def _shorten(line: str) -> str:
    plain = excerpt(line, len(line))
    return plain if len(plain) <= LOG_HEAD + LOG_TAIL else f"{plain[:LOG_HEAD]} ... {plain[-LOG_TAIL:]}"


def is_ready(one: Criterion, histories: Mapping[str, History], awaited: AbstractSet[str]) -> bool:
    """Whether a criterion can be judged although the experiments in `awaited` have not ended."""
    if one.reads_run:
        return not awaited
    needed = _needed(one, histories)
    if len(needed) < len(one.experiments) or not awaited.isdisjoint(needed):
        return False
    causes = {skipped.experiment for history in needed.values() for skipped in history.of(Skipped)}
    return awaited.isdisjoint(causes)


def so_far(one: Criterion, histories: Mapping[str, History]) -> CriterionResult:
    """Judge one criterion while the run goes on: what is left open may yet be judged, and nobody is blamed for it."""
    needed = _needed(one, histories)
    return result(one, _verdict(one, needed, histories), histories if one.reads_run else needed)


def criterion(one: Criterion, histories: Mapping[str, History], *, foreign: bool = False) -> CriterionResult:
    """Judge one criterion on the histories of a run; `foreign` ones are of another version of the grader."""
    needed = _needed(one, histories)
    verdict = _verdict(one, needed, histories)
    if not _is_gap(one, verdict, needed, foreign=foreign):
        causes = [
            histories[skipped.experiment]
            for history in needed.values()
            for skipped in history.of(Skipped)
            if skipped.experiment in histories
        ]
        verdict = _final(verdict, [*needed.values(), *causes], histories.values())
    return result(one, verdict, histories if one.reads_run else needed)


def _is_gap(one: Criterion, verdict: Verdict, needed: Mapping[str, History], *, foreign: bool) -> bool:
    """Whether a criterion is open because the run that is judged was made before what it reads was recorded."""
    if len(needed) < len(one.experiments):
        return True
    return foreign and verdict.status == "not judged" and verdict.actual.startswith(TRIPPED)


def _needed(one: Criterion, histories: Mapping[str, History]) -> dict[str, History]:
    return {each.name: histories[each.name] for each in one.experiments if each.name in histories}


def _verdict(criterion: Criterion, histories: dict[str, History], every: Mapping[str, History]) -> Verdict:
    for experiment in criterion.experiments:
        if experiment.name not in histories:
            return not_judged(f"there is no history of the experiment '{experiment.name}'")
    for history in histories.values():
        if problem := _problem(history, every, criterion.needs):
            return problem
        if interrupted := control.interrupted(history):
            return _certain(interrupted, [history])
    try:
        read = every if criterion.reads_run else histories
        return _certain(criterion.judge(read), histories.values())
    except (MemoryError, RecursionError) as error:
        # No check needs much of either: what does is in the histories, and the submission's.
        return failed("answers and log lines that can be read", f"they cannot ({type(error).__name__})")
    except Exception as error:  # noqa: BLE001 - a check that trips is the grader's fault, never a lost point
        return not_judged(f"{TRIPPED} ({type(error).__name__}: {error})")


def _problem(history: History, every: Mapping[str, History], need: Need) -> Verdict | None:
    """Return why nothing can be judged on a history; what was skipped was lost by whoever lost the control before it."""
    problem = control.problem(history, need)
    skipped = history.first(Skipped)
    if skipped is None or skipped.experiment not in every:
        return problem and _certain(problem, [history])
    before = every[skipped.experiment]
    cause = control.problem(before, need)
    if cause and cause.status == "not judged":
        return cause
    # The report tells the reason once, for all that it concerns.
    return problem and _certain(cause or problem, [before])


def _certain(verdict: Verdict, histories: Iterable[History]) -> Verdict:
    """Return a verdict as it is, but no loss of points where the machine may have been what failed.

    What passes on a machine that is too slow has passed; a check that a slow machine could help does not let it.
    """
    histories = list(histories)
    seconds = max(map(starved, histories), default=0.0)
    if verdict.passed or verdict.blame == "machine" or seconds < STARVED_SECONDS:
        return verdict
    if any(isinstance(event, Exited) and event.cause == TOO_MUCH_OUTPUT for event in verdict.evidence):
        return verdict  # no machine is too slow for what the service printed
    if any(one.detail == TOO_MANY_PIECES for history in histories for one in history.of(Failure)):
        return verdict  # the service itself has kept the lab busy
    reason = f"the machine was too busy to tell for {seconds:.1f} s; what was seen: {verdict.actual}"
    return not_judged(reason, *verdict.evidence, blame="machine")


def _final(verdict: Verdict, histories: Collection[History], every: Iterable[History]) -> Verdict:
    """Return a verdict as it is, but let no submission stay without one by its own doing.

    What is open after the second attempt for a reason that a submission can bring about is its failure. What it cannot
    bring about stays open: a part of the lab that is out of its reach, or a machine that others keep busy.
    """
    if verdict.status != "not judged" or verdict.blame == "submission":
        return verdict
    if not histories or any(_attempt(history) < 2 for history in histories):
        return verdict
    faults = [fault for history in histories for fault in history.of(HarnessFault)]
    if any(not fault.reachable for fault in faults):
        return verdict
    if _was_held_up(verdict, histories):
        share = _burnt([history for history in every if _attempt(history) > 1])
        if share < BURNT_SHARE:
            return verdict
        reason = (
            f"it used {share:.0%} of the machine's processors while it ran, so that nothing could be timed"
        )
        return failed("a service that leaves the lab some processor time", reason, *verdict.evidence)
    return failed(
        "a service that can be judged", f"in two attempts it could not: {verdict.actual}", *verdict.evidence
    )


def _was_held_up(verdict: Verdict, histories: Collection[History]) -> bool:
    """Whether a lack of processor time may have left this open: a check says so, or a part failed while the lab had none.

    A port that another program has taken is no matter of processor time.
    """
    taken = [control.port_taken(history) for history in histories]
    if any(event in taken for event in verdict.evidence):
        return False
    if verdict.blame == "machine":
        return any(history.of(Stall) for history in histories)
    return max(map(starved, histories)) >= STARVED_SECONDS


def _attempt(history: History) -> int:
    began = history.first(Began)
    return began.attempt if began else 1


def _burnt(histories: Collection[History]) -> float:
    """Return the share of the machine's processor time that instances used, beyond what a start may take."""
    used = sum(
        max(0.0, one.processor - START_PROCESSOR_SECONDS) / one.processors
        for history in histories
        for one in history.of(Cleared)
    )
    lasted = [history.events[-1].t for history in histories if history.events]
    return used / max(1.0, sum(lasted) / again_side_by_side(len(histories)), *lasted)


def result(criterion: Criterion, verdict: Verdict, histories: Mapping[str, History]) -> CriterionResult:
    """Return a verdict on a criterion as data, with the moments of these histories that it rests on."""
    moments = [_moment(event, histories) for event in verdict.evidence]
    clues = look_for_clues(verdict, histories.values()) if verdict.status == "failed" else Clues()
    return CriterionResult(
        number=criterion.number,
        name=criterion.name,
        title=criterion.title,
        essential=criterion.essential,
        points=criterion.points,
        status=verdict.status,
        expected=excerpt(verdict.expected, TEXT_LENGTH),
        actual=excerpt(verdict.actual, TEXT_LENGTH),
        tried=tally(criterion.axes, histories.values()),
        blame=verdict.blame,
        moments=tuple(moment for moment in moments if moment),
        request=clues.request,
        log=clues.log,
        hint=criterion.hint if verdict.status == "failed" else "",
    )


def _moment(event: Event, histories: Mapping[str, History]) -> Moment | None:
    for name, history in histories.items():
        for position, candidate in enumerate(history.events):
            if candidate is event:
                began = history.first(Began)
                return Moment(
                    experiment=name,
                    event=position,
                    t=event.t,
                    at=began.after + event.t if began and began.after is not None else None,
                    text=plain(describe(history, event)),
                )
    return None


def unrunnable(reason: str) -> Verdict:
    """Return the verdict on every criterion of a submission that cannot be installed or started by any rule."""
    return failed("a submission that installs and starts", reason)
