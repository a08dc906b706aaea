"""Judges starts that must fail: by themselves, in time, with a code other than 0, naming the variable."""

from collections.abc import Iterator, Sequence

from chaos.history import Exited, History, Launched, Log, Ready
from exercises.exam.ex1_secure_configuration import starts
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

KILLED = "killed by the lab"


def needs_its_key(exposed: History) -> Verdict:
    contract = exposed.contract
    return all_of(
        [
            _refused(exposed, starts.missing_key(contract), [starts.key_variable(contract)]),
            *_refused_elsewhere(exposed, starts.missing_key_elsewhere(contract)),
        ]
    )


def refuses_insecure_keys(exposed: History) -> Verdict:
    variable = starts.key_variable(exposed.contract)
    instances = starts.published_names(exposed.contract)
    verdict = all_of(
        [
            *(_refused(exposed, instance, [variable]) for instance in instances),
            *_refused_elsewhere(exposed, starts.well_known_key_elsewhere(exposed.contract)),
        ]
    )
    return in_short(verdict, f"{len(instances)} insecure keys, all refused by name")


def refuses_longer_variants_of_well_known_keys(exposed: History) -> Verdict:
    contract = exposed.contract
    beginnings = [starts.longer_key(contract, kind) for kind in starts.LONGER_KEYS.values]
    found = [name for name in _instances(exposed) if name.startswith(tuple(beginnings))]
    if len(found) < len(beginnings):
        return not_judged("the grader did not try every kind of longer key")
    verdict = all_of(_refused(exposed, name, [starts.key_variable(contract)]) for name in found)
    return in_short(verdict, f"{len(found)} of them, all refused by name")


def refuses_malformed_values(exposed: History) -> Verdict:
    groups = [name for name in _instances(exposed) if starts.is_group(name)]
    contract = exposed.contract
    wanted = (*starts.addresses(contract), *starts.passwords(contract), *starts.origins(contract))
    if set(wanted) - {variable for name in groups for variable in starts.named_in(name, wanted)}:
        return not_judged("the grader did not try every variable")
    verdict = all_of(_refused(exposed, name, starts.named_in(name, wanted)) for name in groups)
    return in_short(verdict, f"bad values of {len(wanted)} variables, all refused by name")


def _refused_elsewhere(history: History, instance: str) -> Iterator[Verdict]:
    """Judge a start, if it was made, for which other variables were forgotten too; the service may name those instead."""
    contract = history.contract
    if instance in starts.keys_elsewhere(contract):
        yield _refused(history, instance, [starts.key_variable(contract), *starts.elsewhere(contract)])


def _instances(history: History) -> list[str]:
    return list(dict.fromkeys(event.instance for event in history.of(Launched)))


def _refused(history: History, instance: str, variables: Sequence[str]) -> Verdict:
    """Judge that an instance ended by itself, in failure, without ever answering, and named one of the variables."""
    seconds = starts.patience(_usual_start(history))
    named = variables[0] if len(variables) == 1 else "one of them"
    expected = f"with {instance}: a non-zero exit within {seconds:.0f} s, naming {named}"
    events = _last_start(history, instance)
    exited = events.first(Exited)
    if not events.of(Launched):
        return not_judged(f"the instance with {instance} was not started")
    if actual := _not_ended(events):
        return failed(expected, actual, events.first(Ready) or exited or events.first(Launched))
    assert exited
    if exited.code == 0:
        return failed(expected, "it exited with code 0", exited)
    lines = [event for event in events.of(Log) if starts.named_in(event.text, variables)]
    if not lines:
        names = " or ".join(variables)
        actual = f"it exited with code {exited.code}, but its output does not name {names}"
        return failed(expected, actual, exited, *events.of(Log)[-1:])
    return passed(f"{instance}: exit {exited.code}", exited, lines[-1])


def _not_ended(start: History) -> str | None:
    """Say what an instance did instead of ending by itself; None where it did end."""
    launched, ready, exited = start.of(Launched)[0], start.first(Ready), start.first(Exited)
    if ready:
        return f"it started and answered after {ready.t - launched.t:.1f} s"
    if exited is None or exited.cause == KILLED:
        return "it neither exited nor answered"
    return f"it was ended by the grader: it {exited.cause}" if exited.cause else None


def _usual_start(history: History) -> float:
    service = history.instance()
    launched, ready = service.of(Launched), service.of(Ready)
    return ready[-1].t - launched[-1].t if launched and ready else 0.0


def _last_start(history: History, instance: str) -> History:
    """Return what became of an instance; one that lost its port to another program was started again."""
    events = [event for event in history.events if vars(event).get("instance") == instance]
    begun = [position for position, event in enumerate(events) if isinstance(event, Launched)]
    return History(events[begun[-1] :] if begun else [])
