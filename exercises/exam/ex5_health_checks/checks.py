"""The checks of exercise 5. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from chaos.history import Answer, Exchange, Failure, Fault, File, History, Upstream
from exercises.exam.ex5_health_checks import compose, probes, reports
from exercises.exam.ex5_health_checks.readiness import (
    CROWD_LABEL,
    DEPENDENCIES,
    KEPT_SECONDS,
    RESTED_LABEL,
    SEEN_SECONDS,
    State,
    reader,
    shows,
    states,
    told,
)
from exercises.exam.ex5_health_checks.watching import ALIVE, ALIVE_ALONE
from lab.flags import Reader
from lab.promptness import PROMPT_SECONDS, prompt
from lab.reading import outcome
from lab.timing import disturbance, too_busy, undisturbed
from lab.verdict import Verdict, all_of, failed, not_judged, passed

HANGING_SECONDS = 10.0
HANGING_TOLERANCE = 1.0
PLAINLY_LONGER = 1.5
"""Seconds by which all one after the other take longer than the slowest of them, where that can be told."""


def liveness(outages: History, blackholes: History, swallowed: History) -> Verdict:
    return all_of(
        [
            *(_alive(history) for history in (outages, blackholes, swallowed)),
            probes.liveness_asks_nobody(outages, ALIVE_ALONE),
        ]
    )


def readiness(outages: History) -> Verdict:
    path = outages.contract.endpoints["readiness"]
    expected = f"GET {path} answers 200 with all up, and reports qdrant, litellm and mlflow as healthy"
    found = states(outages)
    known = reader(found)
    look = found[0].last_look
    for one in look:
        if not shows(one.end, (), known):
            return failed(expected, told(one.end, known), one.end)
    return passed(told(look[-1].end, known), look[-1].end)


def outages_show(outages: History, blackholes: History, swallowed: History, rested: History) -> Verdict:
    shown = [
        verdict
        for history in (outages, blackholes, swallowed)
        for verdict in _all_shown(history, hanging=False)
    ]
    # How this service writes its flags is seen where more has been down.
    return all_of([*shown, _shown_after_a_rest(rested, reader(states(outages)))])


def hanging_is_bounded(blackholes: History, swallowed: History) -> Verdict:
    histories = (blackholes, swallowed)
    return all_of(
        [
            *(_in_time(history, state) for history in histories for state in states(history) if state.hangs),
            *(_crowds_in_time(history) for history in histories),
            *(verdict for history in histories for verdict in _all_shown(history, hanging=True)),
            *(_side_by_side(history, histories) for history in histories),
        ]
    )


def recovery_shows(outages: History, blackholes: History, swallowed: History) -> Verdict:
    histories = (outages, blackholes, swallowed)
    if not any(_follows(history) for history in histories):
        last = states(outages)[-1].asked[-1]
        reason = "no outage showed while it lasted, so nothing could recover"
        return not_judged(reason, last.end, blame="submission")
    return all_of(verdict for history in histories for verdict in _all_recovered(history))


def probes_are_few(outages: History, blackholes: History, swallowed: History) -> Verdict:
    histories = (outages, blackholes, swallowed)
    if costly := probes.model_calls(histories):
        return costly
    crowds = [probes.few(history, label) for history in (outages, swallowed) for label in _crowds(history)]
    verdict = all_of(crowds)
    if verdict.passed and not any(_follows(history) for history in histories):
        reason = "the report does not follow its dependencies, so it does not matter how often it asks them"
        return not_judged(reason, *verdict.evidence[:1], blame="submission")
    return verdict


def no_secrets(outages: History, blackholes: History, swallowed: History) -> Verdict:
    return reports.no_secrets((outages, blackholes, swallowed))


def compose_has_health_check(compose_files: History) -> Verdict:
    expected = "the service 'api' of the compose file has a health check that asks it something"
    files = {file.path: file.text for file in compose_files.of(File)}
    if not (mains := compose.projects(files)):
        return failed(expected, "there is no compose file")
    found: dict[str, str | None] = {}
    for path in mains:
        evidence = compose_files.file(path)
        try:
            found[path] = compose.missing(path, files)
        except ValueError:
            return failed(expected, f"{path} is not YAML", evidence)
        if found[path] is None:
            return passed(f"{path} has one", evidence)
    path, reason = next(iter(found.items()))
    names = f"{path}: " if len(found) == 1 else f"{', '.join(found)}: "
    return failed(expected, names + str(reason), compose_files.file(path))


def _alive(history: History) -> Verdict:
    expected = "GET /health answers 200 in under 1 s, whatever is down and whoever asks for readiness"
    asked = [one for label in (ALIVE_ALONE, ALIVE) for one in history.exchanges(label)]
    samples = [one for one in asked if one.status != 429]
    if not samples:
        return not_judged("a rate limit kept GET /health from answering", blame="submission")
    for one in samples:
        broken = isinstance(one.end, Failure) and one.end.error != "timeout"
        if broken or (isinstance(one.end, Answer) and one.end.status != 200):
            return failed(expected, outcome(one.end), one.end, _fault_before(history, one))
    return prompt(history, _without_hiccups(history, samples), expected)


def _without_hiccups(history: History, samples: list[Exchange]) -> list[Exchange]:
    """Return samples without the slow ones from before the first fault, unless these are most of that time.

    A service that blocks does so whenever it is asked for readiness, and more so when something hangs. What is slow now
    and then with nothing broken is a machine that pauses one process and not the other.
    """
    first = history.first(Fault)
    before = [one for one in samples if first and one.request.t < first.t]
    slow = [one for one in before if _seconds(one) >= PROMPT_SECONDS]
    return samples if len(slow) > len(before) / 2 else [one for one in samples if one not in slow]


def _all_shown(history: History, *, hanging: bool) -> Iterator[Verdict]:
    """Judge that each state in which something is down came to show, of those that hang or of the others."""
    found = states(history)
    known = reader(found)
    back: set[Upstream] = (
        set()
    )  # what has recovered, and has not been seen to: that is judged once, as recovery
    for state in found:
        back = (back | state.healed) - state.down
        if state.faults and state.hangs is hanging:
            yield _shown(history, state, known, whatever=frozenset(back))
        back -= _seen_up(state, known)


def _shown(history: History, state: State, known: Reader, *, whatever: Collection[Upstream]) -> Verdict:
    """Judge that the report came to show what is down within the time that it may be kept; some may be either."""
    names = ", ".join(one for one in DEPENDENCIES if one in state.down)
    others = "" if len(state.down) == len(DEPENDENCIES) else " and the others true"
    expected = f"503 with {names} false{others}, within {SEEN_SECONDS:.0f} s: {state.what}"
    for one in state.last_look:
        if not shows(one.end, state.down, known, whatever=whatever):
            return failed(expected, told(one.end, known), one.end, _fault_before(history, state.asked[0]))
    last = state.asked[-1]
    return passed(f"{names} down: shown after {last.request.t - state.asked[0].request.t:.0f} s", last.end)


def _shown_after_a_rest(rested: History, known: Reader) -> Verdict:
    """Judge that a report is made anew, or not much older than it may be kept, where nobody has asked for long."""
    rests = [state for state in states(rested) if state.label.startswith(RESTED_LABEL)]
    looks = [state for state in rests if state.asked[-1].status != 429]
    if not looks:
        return passed("no report to leave alone")
    if any(shows(state.asked[-1].end, state.down, known) for state in looks):
        return passed(f"after {KEPT_SECONDS:.0f} s without a caller: {told(looks[-1].asked[-1].end, known)}")
    state, one = looks[0], looks[0].asked[-1]
    expected = f"the first report after {KEPT_SECONDS:.0f} s without a caller shows that {state.what}"
    return failed(expected, told(one.end, known), one.end, _fault_before(rested, one))


def _seen_up(state: State, known: Reader) -> set[Upstream]:
    """Return the dependencies that all of a state's last reports call healthy."""
    seen = [known.read(one.end.body) for one in state.last_look if isinstance(one.end, Answer)]
    return {upstream for upstream in DEPENDENCIES if seen and all(flags[upstream] is True for flags in seen)}


def _in_time(history: History, state: State) -> Verdict:
    return _answered_in_time(history, state.asked, state.what)


def _crowds_in_time(history: History) -> Verdict:
    """Judge that no caller of a crowd waits longer for a report than one who is alone, while something hangs.

    Those whom the network or the machine turned away are counted by `probes.few`.
    """
    verdicts = []
    for label in (label for label in _crowds(history) if "hangs" in label):
        waited = [one for one in history.exchanges(label) if _waited(one)]
        if waited:
            verdicts.append(_answered_in_time(history, waited, label))
    return all_of(verdicts)


def _answered_in_time(history: History, asked: Collection[Exchange], what: str) -> Verdict:
    """Judge that everybody was answered within ten seconds; what the lab's own stalls made late fails nothing."""
    expected = f"an answer within {HANGING_SECONDS:.0f} s: {what}"
    limit = HANGING_SECONDS + HANGING_TOLERANCE
    excused: Exchange | None = None
    for one in asked:
        if isinstance(one.end, Answer) and one.end.elapsed <= limit:
            continue
        if _waited(one) and disturbance(history, one) and undisturbed(history, one) <= limit:
            excused = one
            continue
        return failed(expected, outcome(one.end), one.end, _fault_before(history, one))
    if excused:
        return too_busy("time the answer", excused.end)
    return passed(f"{what}: at most {max(_seconds(one) for one in asked):.1f} s")


def _waited(exchange: Exchange) -> bool:
    """Whether a caller was answered, or waited in vain: a connection that broke is neither."""
    return not isinstance(exchange.end, Failure) or exchange.end.error == "timeout"


def _side_by_side(history: History, histories: Sequence[History]) -> Verdict:
    """Judge that with all hanging a report takes about as long as with the slowest of them, and not all of them.

    Where reports are kept for long there is no time for each to hang alone. Which is the slowest is known if each did, in
    whichever history.
    """
    together = [
        one for state in _hanging(history) if len(state.down) == len(DEPENDENCIES) for one in state.asked
    ]
    alone = [(each, state) for each in histories for state in _hanging(each) if len(state.down) == 1]
    if not together or {name for _, state in alone for name in state.down} != set(DEPENDENCIES):
        return passed("")
    asked = [(each, one) for each, state in alone for one in state.asked if one.end]
    longest = max(_seconds(one) for _, one in asked)
    slowest = max(together, key=lambda one: undisturbed(history, one))
    taken = undisturbed(history, slowest)
    if taken > _about(longest) or _is_sum(taken, _each_alone(state for _, state in alone)):
        expected = f"with all hanging an answer after about {longest:.1f} s, as with the slowest one"
        return failed(expected, outcome(slowest.end), slowest.end)
    # A stall may have stretched the measure that the others are held to.
    certain = _about(max(undisturbed(each, one) for each, one in asked))
    if late := [one for one in together if _seconds(one) > certain]:
        return too_busy("time the answer", late[0].end)
    return passed(f"all hanging: {_seconds(slowest):.1f} s, one of them: {longest:.1f} s", slowest.end)


def _each_alone(alone: Iterable[State]) -> list[float]:
    """Return how many seconds a report took at most while each dependency hung alone."""
    seconds: dict[Upstream, float] = {}
    for state in alone:
        for name in state.down:
            seconds[name] = max([seconds.get(name, 0.0), *(_seconds(one) for one in state.asked if one.end)])
    return list(seconds.values())


def _is_sum(seconds: float, parts: Sequence[float]) -> bool:
    """Whether a time is that of all parts one after the other, and plainly not that of the longest."""
    more = sum(parts) - max(parts)
    return more >= PLAINLY_LONGER and seconds >= sum(parts) - more / 4


def _hanging(history: History) -> list[State]:
    return [state for state in states(history) if state.hangs]


def _about(seconds: float) -> float:
    """The longest time that is about as long as another."""
    return 1.5 * seconds + 1.0


def _all_recovered(history: History) -> Iterator[Verdict]:
    """Judge that what is back is called healthy, by the end of each state in which it is."""
    found = states(history)
    known = reader(found)
    for state in found:
        if not state.healed:
            continue
        names = ", ".join(one for one in DEPENDENCIES if one in state.healed)
        all_up = "" if state.down else "200 with "
        expected = f"{all_up}{names} true within {SEEN_SECONDS:.0f} s after it is back"
        for one in state.last_look:
            if not _shows_back(one, state, known):
                yield failed(expected, told(one.end, known), one.end, _fault_before(history, state.asked[0]))
        lasted = state.asked[-1].request.t - state.asked[0].request.t
        yield passed(f"{names} up again, shown after {lasted:.0f} s", state.asked[-1].end)


def _shows_back(exchange: Exchange, state: State, known: Reader) -> bool:
    """Whether a report calls nothing down that is back; what it must say of others that are down is judged elsewhere."""
    if not state.down:
        return shows(exchange.end, (), known)
    if not isinstance(exchange.end, Answer):
        return False
    flags = known.read(exchange.end.body)
    return not any(flags.get(upstream) is False for upstream in state.healed)


def _follows(history: History) -> bool:
    """Whether an outage has ever shown in its flag."""
    found = states(history)
    known = reader(found)
    return any(
        known.read(one.end.body)[upstream] is False
        for state in found
        for upstream in state.down
        for one in state.asked
        if isinstance(one.end, Answer)
    )


def _crowds(history: History) -> list[str]:
    labels = (one.request.label for one in history.exchanges() if one.request.label.startswith(CROWD_LABEL))
    return list(dict.fromkeys(labels))


def _seconds(exchange: Exchange) -> float:
    return exchange.end.elapsed if exchange.end else float("inf")


def _fault_before(history: History, exchange: Exchange) -> Fault | None:
    earlier = [fault for fault in history.of(Fault) if fault.t <= exchange.request.t]
    return earlier[-1] if earlier else None
