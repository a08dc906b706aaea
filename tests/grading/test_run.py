import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.containers.engine import EngineError
from chaos.history import Began, Ended, HarnessFault, History, Launched, Log, Overran, Phase, Skipped
from chaos.network import LOOPBACK
from chaos.postgres import PostgresError
from chaos.program import ProcessProgram
from chaos.proxy_server import proxy_server
from chaos.toxiproxy import Toxiproxy, ToxiproxyError
from grading.errors import MachineError, SubmissionError
from grading.run import START_FAILURES, Run, State, in_turn, run_again, run_all
from grading.runtime import Runtime
from lab import control, lab
from lab.experiment import Experiment
from lab.lab import Lab
from tests.exam import CONTRACT

pytestmark = pytest.mark.medium

TINY = Path(__file__).parent.parent / "services" / "tiny.py"
ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
async def toxiproxy() -> AsyncIterator[Toxiproxy]:
    async with proxy_server(seed=1, env=ENV) as server:
        yield server.client


class Runs:
    """Experiments on the tiny service, with what the observer was told."""

    def __init__(self, toxiproxy: Toxiproxy, folder: Path, behaviour: str = "well") -> None:
        self.states: list[tuple[str, State]] = []
        self._behaviour = behaviour
        self._folder = folder
        self.run = Run(
            Runtime(toxiproxy, "a fault proxy", LOOPBACK, self._program, folder),
            CONTRACT,
            1,
            lambda one, state: self.states.append((one.name, state)),
        )

    async def run_all(self, *experiments: Experiment) -> dict[str, History]:
        return await run_all(experiments, self.run)

    def _program(self) -> ProcessProgram:
        root = Path(tempfile.mkdtemp(dir=self._folder))
        return ProcessProgram(
            argv=lambda _host, _port: [sys.executable, str(TINY), self._behaviour],
            env=lambda _host, port: {**ENV, "PORT": str(port)},
            python=Path(sys.executable),
            root=root,
            repository=root,
            workdir=root,
        )


async def _ask(lab: Lab) -> None:
    """Ask once."""
    lab.phase("fault")
    await lab.generate(label="asked")


ASK = Experiment("ask", _ask, seconds=1)


async def test_an_experiment_runs_after_its_control_phase(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    runs = Runs(toxiproxy, tmp_path)

    histories = await runs.run_all(ASK)

    history = histories["ask"]
    assert control.problem(history) is None
    assert [phase.name for phase in history.of(Phase)] == ["control", "fault"]
    assert history.exchanges("asked")[0].status == 200
    assert len(history.calls("litellm")) == 2
    assert isinstance(history.events[-1], Ended)
    assert [state for _, state in runs.states] == ["waiting", "starting", "running", "done"]


async def test_a_history_says_when_in_the_grading_it_began(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    runs = Runs(toxiproxy, tmp_path)
    runs.run.elapsed = lambda: 12.5

    began = (await runs.run_all(ASK))["ask"].first(Began)

    assert began
    assert began.after == 12.5


def test_files_are_read_first_and_short_experiments_start_between_the_long_ones() -> None:
    own_suite, *short = [Experiment(f"short{n}", _ask, seconds=n) for n in (30, 1, 2, 3)]
    long = [Experiment(f"long{n}", _ask, seconds=n) for n in (31, 32, 33, 34)]
    files = Experiment("files", _ask, seconds=1, needs="nothing")

    ordered = in_turn([*short, *long, replace(own_suite, needs="nothing"), files])

    assert [one.name for one in ordered] == [
        "files",
        *("long34", "long33", "long32"),
        "short1",
        *("long31", "short30", "short3"),
        "short2",
    ]


async def test_nothing_of_an_experiment_is_left(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    await Runs(toxiproxy, tmp_path).run_all(ASK)

    assert await toxiproxy.proxies() == {}


async def test_experiments_run_side_by_side_with_prompts_of_their_own(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    meeting = asyncio.Barrier(3)

    async def meet(lab: Lab) -> None:
        """Wait for the others, then ask."""
        await meeting.wait()
        await lab.generate(label="asked")

    histories = await Runs(toxiproxy, tmp_path).run_all(
        *(Experiment(f"meet{n}", meet, seconds=1) for n in range(3))
    )

    keys = {history.exchanges("asked")[0].request.key for history in histories.values()}
    assert len(keys) == 3
    assert all(history.exchanges("asked")[0].status == 200 for history in histories.values())


async def test_the_same_seed_asks_the_same_prompts(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    keys = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        histories = await Runs(toxiproxy, folder).run_all(ASK)
        keys.append([one.request.key for one in histories["ask"].exchanges()])

    assert keys[0] == keys[1]


async def test_a_service_that_exits_at_start_is_not_started_for_ever(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    runs = Runs(toxiproxy, tmp_path, "exit")
    runs.run.starts = asyncio.Semaphore(1)

    histories = await runs.run_all(*(Experiment(f"ask{n}", _ask, seconds=1) for n in range(5)))

    assert sum(bool(history.of(Skipped)) for history in histories.values()) == 3
    for history in histories.values():
        verdict = control.problem(history)
        assert verdict
        assert verdict.status == "failed"
    tried = next(history for history in histories.values() if not history.of(Skipped))
    assert control.log_tail(tried) == ["JWT_SECRET_KEY is not to my liking"]


async def test_a_service_that_never_opens_its_port_fails(
    toxiproxy: Toxiproxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "START_SECONDS", 0.5)

    histories = await Runs(toxiproxy, tmp_path, "deaf").run_all(ASK)

    verdict = control.problem(histories["ask"])
    assert verdict
    assert (verdict.status, verdict.blame) == ("failed", "submission")
    assert "did not answer on the port" in verdict.actual


async def test_a_service_that_prints_without_end_is_ended_and_told_so(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    histories = await Runs(toxiproxy, tmp_path, "flood").run_all(ASK)

    verdict = control.problem(histories["ask"])
    assert verdict
    assert verdict.status == "failed"
    assert "printed more than" in verdict.actual
    assert len(histories["ask"].of(Log)) <= 50_000


@pytest.mark.parametrize(("behaviour", "reason"), [("unwell", "answered 500"), ("canned", "never called")])
async def test_a_service_that_fails_its_control_is_not_experimented_on(
    toxiproxy: Toxiproxy, tmp_path: Path, behaviour: str, reason: str
) -> None:
    histories = await Runs(toxiproxy, tmp_path, behaviour).run_all(ASK)

    verdict = control.problem(histories["ask"])
    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "submission")
    assert reason in verdict.actual
    assert not histories["ask"].exchanges("asked")


async def test_what_the_lab_trips_over_is_the_harness_fault(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    async def trip(lab: Lab) -> None:
        """Trip."""
        raise RuntimeError("the lab is on fire")

    histories = await Runs(toxiproxy, tmp_path).run_all(Experiment("trip", trip, seconds=1), ASK)

    [fault] = histories["trip"].of(HarnessFault)
    assert "the lab is on fire" in fault.reason
    assert control.problem(histories["ask"]) is None


async def test_a_proxy_that_is_gone_at_the_end_is_the_harness_fault(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def lose(lab: Lab) -> None:
        """Lose the proxy."""
        await toxiproxy.delete("lose-litellm")
        await lab.generate(label="asked")

    histories = await Runs(toxiproxy, tmp_path).run_all(Experiment("lose", lose, seconds=1))

    verdict = control.problem(histories["lose"])
    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "harness")


async def test_an_experiment_beyond_its_limit_is_the_submissions_failure(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def sleep(lab: Lab) -> None:
        """Sleep."""
        await asyncio.sleep(60)

    histories = await Runs(toxiproxy, tmp_path).run_all(Experiment("sleep", sleep, seconds=1, limit=0.2))

    assert [event.limit for event in histories["sleep"].of(Overran)] == [0.2]
    verdict = control.interrupted(histories["sleep"])
    assert verdict
    assert (verdict.status, verdict.blame) == ("failed", "submission")


async def test_a_time_limit_of_the_labs_own_is_no_limit_of_the_experiment(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def give_up(lab: Lab) -> None:
        """Give up."""
        raise TimeoutError

    histories = await Runs(toxiproxy, tmp_path).run_all(Experiment("give_up", give_up, seconds=1))

    assert not histories["give_up"].of(Overran)
    assert [fault.reachable for fault in histories["give_up"].of(HarnessFault)] == [True]


@pytest.mark.parametrize(
    ("error", "exposed", "reachable"),
    [
        (ToxiproxyError("gone"), True, True),
        (ToxiproxyError("gone"), False, False),
        (OSError("nobody is behind the door"), False, False),
        (PostgresError("psql failed: no space left on device"), False, True),
        (EngineError("no engine"), False, False),
        (MachineError("the disk is full"), True, False),
        (OverflowError("infinity"), False, True),
        (SubmissionError("too deep"), False, True),
    ],
)
async def test_what_a_submission_can_reach_depends_on_the_runtime(
    *, error: Exception, exposed: bool, reachable: bool, toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def trip(lab: Lab) -> None:
        """Trip."""
        raise error

    runs = Runs(toxiproxy, tmp_path)
    runs.run.runtime = replace(runs.run.runtime, exposed=exposed)
    histories = await runs.run_all(Experiment("trip", trip, seconds=1))

    [fault] = histories["trip"].of(HarnessFault)
    assert fault.reachable is reachable
    assert ("--runtime sandbox" in fault.reason) is (exposed and reachable)


async def test_before_the_service_runs_it_has_broken_nothing(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    def no_room() -> ProcessProgram:
        raise MachineError("the disk is full")

    runs = Runs(toxiproxy, tmp_path)
    runs.run.runtime = replace(runs.run.runtime, program=no_room, exposed=True)
    histories = await runs.run_all(ASK)

    assert [fault.reachable for fault in histories["ask"].of(HarnessFault)] == [False]


async def test_files_that_trip_the_grader_are_the_submissions(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    async def trip(lab: Lab) -> None:
        """Trip."""
        raise UnicodeError("a name that is no text")

    histories = await Runs(toxiproxy, tmp_path).run_all(Experiment("trip", trip, seconds=1, needs="nothing"))

    assert [fault.reachable for fault in histories["trip"].of(HarnessFault)] == [True]


async def test_a_second_attempt_is_told_from_the_first(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    runs = Runs(toxiproxy, tmp_path)

    first = (await runs.run_all(ASK))["ask"]
    again = (await run_again([ASK], runs.run))["ask"]

    assert [one.first(Began).attempt for one in (first, again)] == [1, 2]  # type: ignore[union-attr]


async def test_what_is_run_again_has_a_fresh_instance_and_a_history_of_its_own(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    runs = Runs(toxiproxy, tmp_path)

    first = (await runs.run_all(ASK))["ask"]
    again = (await run_again([ASK], runs.run))["ask"]

    assert control.problem(again) is None
    assert again.exchanges("asked")[0].status == 200
    [before], [after] = first.of(Launched), again.of(Launched)
    assert before.cwd != after.cwd


async def test_a_service_that_did_not_start_is_tried_again(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    runs = Runs(toxiproxy, tmp_path, "exit")
    await runs.run_all(*(Experiment(f"ask-{number}", _ask, seconds=1) for number in range(START_FAILURES)))

    again = (await run_again([ASK], runs.run))["ask"]

    assert not again.of(Skipped)
    assert again.of(Launched)


async def test_an_experiment_that_needs_nothing_starts_nothing(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    async def read(lab: Lab) -> None:
        """Read."""
        lab.record_files("*.md")

    [history] = (
        await Runs(toxiproxy, tmp_path, "exit").run_all(Experiment("read", read, seconds=1, needs="nothing"))
    ).values()

    assert [event.kind for event in history.events] == ["began", "ended"]  # type: ignore[attr-defined]


async def test_what_needs_a_start_alone_runs_though_the_control_phase_fails(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def look(lab: Lab) -> None:
        """Look."""
        await lab.get("/", label="look")

    runs = Runs(toxiproxy, tmp_path, "unwell")
    histories = await runs.run_all(Experiment("look", look, seconds=1, needs="start"), ASK)

    assert histories["look"].exchanges("look")[0].status == 200
    assert not histories["ask"].exchanges("asked")


async def test_what_needs_a_start_alone_leaves_alone_what_has_failed_before(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    async def look(lab: Lab) -> None:
        """Look."""
        await lab.get("/", label="look")

    runs = Runs(toxiproxy, tmp_path, "unwell")
    runs.run.starts = asyncio.Semaphore(1)
    histories = await runs.run_all(ASK, Experiment("look", look, seconds=0, needs="start"))

    assert histories["look"].exchanges("look")[0].status == 200
    assert not histories["look"].exchanges("login")
    assert histories["look"].first(Skipped) == histories["look"].of(Skipped)[0]


async def test_a_control_phase_that_fails_the_same_way_three_times_is_tried_no_more(
    toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    runs = Runs(toxiproxy, tmp_path, "unwell")
    runs.run.starts = asyncio.Semaphore(1)

    histories = await runs.run_all(*(Experiment(f"ask{n}", _ask, seconds=9 - n) for n in range(6)))

    skipped = {name for name, history in histories.items() if history.of(Skipped)}
    assert skipped == {"ask3", "ask4", "ask5"}
    assert {len(histories[name].exchanges("control")) for name in ("ask1", "ask2")} == {1}
