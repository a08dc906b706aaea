from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from chaos.history import (
    Began,
    Cleared,
    Ended,
    Exited,
    Failure,
    HarnessFault,
    History,
    Launched,
    Overran,
    Phase,
    Ready,
    Skipped,
)
from chaos.http_client import TOO_MANY_PIECES
from chaos.output import TOO_MUCH_OUTPUT
from grading import judge as judging
from grading.score import rescored
from grading.version import grader_version
from lab.control import Need
from lab.exercise import Criterion, Exercise
from lab.experiment import Experiment
from lab.lab import Lab
from lab.result import ExerciseResult
from lab.scoring import Scoring
from lab.verdict import Verdict, failed, not_judged, passed
from tests.exam import CONTRACT, EXAM
from tests.grading.classroom.samples import make_report
from tests.lab.story import Story, held_up

SCORING = Scoring(scheme="levels", functional=0.5, mentions={"passed": 60})


def judge(exercises: Sequence[Exercise], histories: Mapping[str, History]) -> tuple[ExerciseResult, ...]:
    return judging.judge(exercises, histories, SCORING)


async def _nothing(lab: Lab) -> None:
    """Do nothing."""


HANG = Experiment("hang", _nothing, seconds=1)
DRIP = Experiment("drip", _nothing, seconds=1)


def criterion(
    name: str, check: Callable[..., Verdict], *experiments: Experiment, essential: bool = False
) -> Criterion:
    return Criterion(
        number=f"9.{name}",
        name=name,
        title=f"the {name} holds",
        hint="Look again.",
        essential=essential,
        check=check,
        experiments=experiments or (HANG,),
    )


def exercise(*criteria: Criterion) -> Exercise:
    return Exercise(9, "Something", 20, core=False, criteria=criteria)


def good(hang: History) -> Verdict:
    return passed("all well", hang.events[-1])


def bad(hang: History) -> Verdict:
    return failed("better", "this", hang.exchanges("control")[0].end)


def unknown(hang: History) -> Verdict:
    return not_judged("nothing hung", blame="submission")


def tripping(hang: History) -> Verdict:
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("essential", "optional", "level", "points"),
    [
        (good, good, "complete", 20),
        (good, bad, "functional", 10),
        (good, unknown, "functional", 10),
        (bad, good, "none", 0),
        (unknown, good, "none", 0),
    ],
)
def test_an_exercise_is_complete_functional_or_worth_nothing(
    essential: Callable[..., Verdict], optional: Callable[..., Verdict], level: str, points: float
) -> None:
    one = exercise(criterion("a", essential, essential=True), criterion("b", optional))

    [result] = judge([one], {"hang": Story("hang").end()})

    assert (result.level, result.points) == (level, points)
    assert result.judged


def test_a_failure_comes_with_expectation_moment_and_hint() -> None:
    history = Story("hang").end()

    [result] = judge([exercise(criterion("a", bad))], {"hang": history})

    [verdict] = result.criteria
    assert (verdict.status, verdict.expected, verdict.actual, verdict.blame) == (
        "failed",
        "better",
        "this",
        "submission",
    )
    [moment] = verdict.moments
    assert moment.experiment == "hang"
    assert history.events[moment.event].t == moment.t
    assert "POST /llm/generate (control) -> 200" in moment.text
    assert verdict.hint == "Look again."


def test_a_moment_has_the_clock_of_the_grading_if_the_history_knows_it() -> None:
    history = Story("hang").end()
    began, *others = history.events
    later = History([began.model_copy(update={"after": 30.0}), *others])

    [[before], [after]] = (
        judge([exercise(criterion("a", good))], {"hang": one})[0].criteria[0].moments
        for one in (history, later)
    )

    assert (before.at, after.at) == (None, 30.0 + after.t)
    assert before.place == f"{before.t:.2f} s in 'hang', event {before.event}"
    assert after.place == f"{after.at:.1f} s ({after.t:.2f} s into 'hang', event {after.event})"


def test_a_check_that_trips_is_the_graders_fault() -> None:
    [result] = judge([exercise(criterion("a", tripping))], {"hang": Story("hang").end()})

    [verdict] = result.criteria
    assert (verdict.status, verdict.blame) == ("not judged", "harness")
    assert "KeyError" in verdict.actual
    assert not result.judged


def test_a_harness_fault_in_any_needed_history_leaves_the_criterion_open() -> None:
    def both(hang: History, drip: History) -> Verdict:
        return passed("fine")

    broken = Story("drip")
    broken.add(HarnessFault(reason="the proxy died"))

    [result] = judge(
        [exercise(criterion("a", both, HANG, DRIP))], {"hang": Story("hang").end(), "drip": broken.end()}
    )

    assert (result.criteria[0].status, result.criteria[0].actual) == ("not judged", "the proxy died")
    assert not result.judged


def test_a_missing_or_unfinished_history_leaves_the_criterion_open() -> None:
    one = exercise(criterion("a", good))
    story = Story("hang")
    unfinished = History(story.end().events[:-1])

    for histories in ({}, {"hang": unfinished}):
        [result] = judge([one], histories)
        assert result.criteria[0].status == "not judged"
        assert not result.judged


def test_a_service_that_does_not_start_fails_everything_and_is_told_once() -> None:
    story = Story("hang", started=False)
    story.crash(3, "first line", "JWT_SECRET_KEY is missing")
    histories = {"hang": story.end()}

    [result] = judge([exercise(criterion("a", good), criterion("b", good))], histories)
    failure = judging.control_failure(histories)

    assert [one.status for one in result.criteria] == ["failed", "failed"]
    assert result.judged
    assert failure
    assert failure.log == ("first line", "JWT_SECRET_KEY is missing")


def test_a_submission_that_cannot_run_fails_every_criterion_with_the_reason() -> None:
    [result] = judging.fail_all(
        [exercise(criterion("a", good, essential=True))],
        judging.unrunnable("uvicorn is not installed"),
        SCORING,
    )

    assert (result.points, result.criteria[0].actual) == (0, "uvicorn is not installed")


def starving(story: Story) -> History:
    story.now = 10.0
    return held_up(story.end(), 9.0, 4.0)


@pytest.mark.parametrize("check", [bad, unknown])
def test_a_loss_of_points_on_a_starved_machine_is_no_verdict(check: Callable[..., Verdict]) -> None:
    [result] = judge([exercise(criterion("a", check))], {"hang": starving(Story("hang"))})

    [verdict] = result.criteria
    assert (verdict.status, verdict.blame) == ("not judged", "machine")
    assert "too busy to tell for 4.0 s" in verdict.actual
    assert not result.judged


def test_what_passes_on_a_starved_machine_has_passed() -> None:
    [result] = judge([exercise(criterion("a", good))], {"hang": starving(Story("hang"))})

    assert result.criteria[0].status == "passed"


def disturbed(histories: dict[str, History], *exercises: Exercise) -> tuple[Experiment, ...]:
    return judging.disturbed(exercises, judge(exercises, histories))


def test_what_the_machine_was_too_busy_for_is_what_was_not_judged_for_it() -> None:
    def dripped(drip: History) -> Verdict:
        return failed("better", "this", drip.events[-1])

    def both(hang: History, drip: History) -> Verdict:
        return unknown(hang)

    histories = {"hang": starving(Story("hang")), "drip": Story("drip").end()}
    one = exercise(criterion("a", good), criterion("b", dripped, DRIP))
    other = exercise(criterion("c", bad), criterion("d", both, HANG, DRIP))

    assert disturbed(histories, one) == ()
    assert disturbed(histories, one, other) == (HANG, DRIP)


def test_what_the_grader_left_open_is_run_again_and_what_the_submission_did_is_not() -> None:
    broken = Story("hang")
    broken.add(HarnessFault(reason="the fault proxy is gone"))

    assert disturbed({"hang": Story("hang").end()}, exercise(criterion("a", unknown))) == ()
    assert disturbed({"hang": broken.end()}, exercise(criterion("a", unknown))) == (HANG,)


def test_a_short_stall_excuses_no_failure() -> None:
    history = held_up(Story("hang").end(), 1.9, 0.3)

    [result] = judge([exercise(criterion("a", bad))], {"hang": history})

    assert result.criteria[0].status == "failed"


def test_a_stall_that_is_a_small_share_of_an_experiment_excuses_no_failure() -> None:
    story = Story("hang")
    story.now = 60.0
    history = held_up(story.end(), 9.0, 4.0)

    [result] = judge([exercise(criterion("a", bad))], {"hang": history})

    assert result.criteria[0].status == "failed"


def test_a_start_that_a_starved_machine_did_not_bring_about_fails_nobody() -> None:
    skipped = Story("drip", started=False)
    skipped.add(Skipped(experiment="hang"))
    histories = {"hang": starving(Story("hang", started=False)), "drip": skipped.end()}

    def dripped(drip: History) -> Verdict:
        return passed("fine")

    [result] = judge([exercise(criterion("a", good), criterion("b", dripped, DRIP))], histories)

    assert {(one.status, one.blame) for one in result.criteria} == {("not judged", "machine")}
    assert judging.control_failure(histories) is None


def test_what_was_skipped_for_the_graders_own_fault_fails_nobody() -> None:
    broken = Story("hang", started=False)
    broken.crash(3, "no connection to Qdrant")
    broken.add(HarnessFault(reason="the fault proxy is gone"))
    skipped = Story("drip", started=False)
    skipped.add(Skipped(experiment="hang"))

    def dripped(drip: History) -> Verdict:
        return passed("fine")

    [result] = judge([exercise(criterion("b", dripped, DRIP))], {"hang": broken.end(), "drip": skipped.end()})

    assert (result.criteria[0].status, result.criteria[0].actual) == ("not judged", "the fault proxy is gone")


def started(story: Story) -> Story:
    """Tell of a service that has started, in a control phase that is about to begin."""
    story.now = 1.5
    story.add(Ready())
    story.add(Phase(name="control"))
    return story


def with_broken_login(experiment: str = "hang") -> History:
    story = started(Story(experiment, started=False))
    login = story.ask("login", path="/auth/login")
    story.log("the user table is gone")
    story.answer(login, 500, body={"detail": "boom"})
    story.now += 10
    story.log("long after that")
    return story.end()


def test_a_criterion_is_judged_as_far_as_it_needs_the_service_to_work() -> None:
    cases: list[tuple[Need, str]] = [("nothing", "passed"), ("start", "passed"), ("login", "not judged")]
    for need, status in cases:
        one = replace(criterion("a", good), needs=need)

        [result] = judge([exercise(one)], {"hang": with_broken_login()})

        assert result.criteria[0].status == status
    assert result.criteria[0].actual == "POST /auth/login answered 500 with nothing broken"
    assert result.criteria[0].blame == "submission"


def test_what_does_not_work_with_nothing_broken_is_told_once_with_answer_and_log() -> None:
    failure = judging.control_failure({"hang": with_broken_login()})

    assert failure
    assert failure.started
    assert failure.reason == "POST /auth/login answered 500 with nothing broken"
    assert 'POST /auth/login (login) -> 500 after 0.01 s: {"detail": "boom"}' in failure.answer
    assert failure.log == ("the user table is gone",)


def test_what_worked_in_one_experiment_is_no_failure_of_the_whole() -> None:
    files = History([Began(experiment="files", seed=1, contract=CONTRACT), Ended()])

    assert judging.control_failure({"hang": with_broken_login(), "drip": Story("drip").end()}) is None
    assert judging.control_failure({"files": files}) is None


def test_a_run_of_the_submissions_own_tests_is_no_start_of_the_service() -> None:
    launched = Launched(instance="own tests", command="pytest", cwd="/srv")
    tests = History([Began(experiment="own_tests", seed=1, contract=CONTRACT), launched, Ended()])

    assert judging.control_failure({"own_tests": tests}) is None


def test_what_was_skipped_is_left_open_for_the_reason_of_the_experiment_before() -> None:
    skipped = Story("drip", started=False)
    skipped.add(Skipped(experiment="hang"))

    def dripped(drip: History) -> Verdict:
        return passed("fine")

    histories = {"hang": with_broken_login(), "drip": skipped.end()}
    [result] = judge([exercise(criterion("b", dripped, DRIP))], histories)

    assert (result.criteria[0].status, result.criteria[0].blame) == ("not judged", "submission")
    assert "POST /auth/login answered 500" in result.criteria[0].actual


def test_what_was_skipped_fails_by_the_reason_that_the_report_tells_at_its_top() -> None:
    broken = Story("hang", started=False)
    broken.crash(1, "No module named 'nonsense'")
    skipped = Story("drip", started=False)
    skipped.add(Skipped(experiment="hang"))
    histories = {"hang": broken.end(), "drip": skipped.end()}

    def dripped(drip: History) -> Verdict:
        return passed("fine")

    [result] = judge([exercise(criterion("a", good), criterion("b", dripped, DRIP))], histories)

    failure = judging.control_failure(histories)
    assert failure
    assert [one.status for one in result.criteria] == ["failed", "failed"]
    assert all(failure.explains(one) for one in result.criteria)


def test_what_started_although_another_start_had_failed_is_judged() -> None:
    broken = Story("hang", started=False)
    broken.crash(1, "No module named 'nonsense'")
    skipped = Story("drip")
    skipped.add(Skipped(experiment="hang"))

    def dripped(drip: History) -> Verdict:
        return passed("fine")

    histories = {"hang": broken.end(), "drip": skipped.end()}
    [result] = judge([exercise(criterion("b", dripped, DRIP))], histories)

    assert result.criteria[0].status == "passed"


def second(history: History) -> History:
    """Return a history as that of a second attempt."""
    began, *rest = history.events
    assert isinstance(began, Began)
    return History([began.model_copy(update={"attempt": 2}), *rest])


def verdict_on(
    hang: History, check: Callable[..., Verdict] = good, **others: History
) -> tuple[str, str | None, str]:
    """Return status, blame and reason of a criterion that is judged on this history."""
    [result] = judge([exercise(criterion("a", check))], {"hang": hang, **others})
    [verdict] = result.criteria
    return verdict.status, verdict.blame, verdict.actual


@pytest.mark.parametrize("reachable", [True, False])
def test_a_fault_that_a_submission_can_cause_fails_it_the_second_time(*, reachable: bool) -> None:
    story = Story("hang")
    story.add(HarnessFault(reason="the fault proxy is gone", reachable=reachable))
    history = story.end()

    assert verdict_on(history)[:2] == ("not judged", "harness")
    status, blame, reason = verdict_on(second(history))
    assert (status, blame) == (("failed", "submission") if reachable else ("not judged", "harness"))
    assert "the fault proxy is gone" in reason


@pytest.mark.parametrize(("processor", "status"), [(1.0, "not judged"), (30.0, "failed")])
def test_a_part_of_the_lab_that_fails_on_a_starved_machine_is_the_submissions_only_if_it_starves_it(
    processor: float, status: str
) -> None:
    story = Story("hang")
    story.now = 10.0
    story.add(HarnessFault(reason="the fault proxy did not answer within 3 s", reachable=True))
    story.add(Cleared(processor=processor, processors=2))

    assert verdict_on(second(held_up(story.end(), 9.0, 5.0)))[0] == status


def test_a_check_that_trips_over_the_same_submission_twice_is_its_failure() -> None:
    status, blame, reason = verdict_on(second(Story("hang").end()), tripping)

    assert (status, blame) == ("failed", "submission")
    assert "KeyError" in reason


def test_a_check_that_trips_over_what_another_grader_recorded_is_no_failure() -> None:
    history = second(Story("hang").end())

    again = judging.criterion(criterion("a", tripping), {"hang": history}, foreign=True)

    assert (again.status, again.blame) == ("not judged", "harness")


@pytest.mark.parametrize(("grader", "status"), [("another", "not judged"), (grader_version(), "failed")])
def test_a_run_is_judged_again_as_what_recorded_it(grader: str, status: str) -> None:
    one = replace(exercise(criterion("a", tripping)), number=1)
    report = make_report(100, grader=grader)

    again = rescored(report, {"hang": second(Story("hang").end())}, replace(EXAM, exercises=(one,)))

    assert again.exercises[0].criteria[0].status == status


def test_an_experiment_that_was_never_run_is_no_failure() -> None:
    def both(hang: History, drip: History) -> Verdict:
        return passed("fine")

    one = criterion("a", both, HANG, DRIP)

    again = judging.criterion(one, {"hang": second(Story("hang").end())})

    assert (again.status, again.blame) == ("not judged", "harness")
    assert "no history of the experiment 'drip'" in again.actual


@pytest.mark.parametrize("stalled", [0.0, 5.0])
def test_a_port_that_is_taken_twice_is_the_submissions_failure(stalled: float) -> None:
    story = Story("hang", started=False)
    story.now = 10.0
    story.crash(1, "[Errno 98] address already in use")
    history = held_up(story.end(), 9.0, stalled) if stalled else story.end()

    assert verdict_on(history)[:2] == ("not judged", "machine")
    assert verdict_on(second(history))[:2] == ("failed", "submission")


@pytest.mark.parametrize(("processor", "status"), [(1.0, "not judged"), (30.0, "failed")])
def test_a_machine_that_the_submission_keeps_busy_is_no_excuse(processor: float, status: str) -> None:
    story = Story("hang")
    story.now = 10.0
    story.add(Cleared(processor=processor, processors=2))
    history = held_up(story.end(), 9.0, 5.0)

    assert verdict_on(history, bad)[:2] == ("not judged", "machine")
    assert verdict_on(second(history), bad)[0] == status


def test_what_is_skipped_for_a_fault_out_of_reach_stays_open() -> None:
    broken = Story("drip", started=False)
    broken.crash(3)
    broken.add(HarnessFault(reason="the network is gone"))
    skipped = Story("hang", started=False)
    skipped.add(Skipped(experiment="drip"))

    verdict = verdict_on(second(skipped.end()), drip=second(broken.end()))

    assert verdict == ("not judged", "harness", "the network is gone")


def test_an_experiment_beyond_its_limit_is_the_submissions_failure() -> None:
    story = Story("hang")
    story.now = 240.0
    story.add(Overran(limit=240.0))

    status, blame, reason = verdict_on(story.end())

    assert (status, blame) == ("failed", "submission")
    assert "240 s" in reason


def test_an_experiment_beyond_its_limit_on_a_starved_machine_is_open() -> None:
    story = Story("hang")
    story.now = 240.0
    story.add(Overran(limit=240.0))

    assert verdict_on(held_up(story.end(), 200.0, 100.0))[:2] == ("not judged", "machine")


def test_answers_in_endless_pieces_are_a_failure_on_any_machine() -> None:
    story = Story("hang")
    story.now = 240.0
    story.add(Failure(request=99, error="malformed", detail=TOO_MANY_PIECES, elapsed=1.0))
    story.add(Overran(limit=240.0))

    assert verdict_on(held_up(story.end(), 200.0, 100.0))[:2] == ("failed", "submission")


def test_a_flood_of_output_is_a_failure_on_any_machine() -> None:
    story = Story("hang", started=False)
    story.now = 5.0
    story.add(Exited(code=-9, cause=TOO_MUCH_OUTPUT))

    status, blame, reason = verdict_on(held_up(story.end(), 4.9, 4.0))

    assert (status, blame) == ("failed", "submission")
    assert "printed more than" in reason
