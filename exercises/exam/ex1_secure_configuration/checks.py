"""The checks of exercise 1. Each judges recorded histories alone; its parameters name the experiments."""

import re

from chaos.contract import Contract
from chaos.history import Answer, Event, Exchange, Exited, File, History, Launched, Log, Ready
from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED
from lab import env_file
from lab.reading import excerpt, outcome
from lab.secrets_leak import Leaks
from lab.verdict import Verdict, all_of, failed, not_judged, passed

KILLED = "killed by the lab"
_PASSWORDS = ("admin_password", "user_password")
_SECRET_NAME = re.compile(r"(^|_)(KEY|SECRET|TOKEN|PASSWORD)(_|$)", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"chang|your|replac|example|placeholder|generat|todo|insert|fill|enter|set|dummy|must|put|here|secret|password"
    r"|x{3}|(.)\1{5}|[<>{}\[\]$*…]|\.\.\.",
    re.IGNORECASE,
)
_REAL_KEY_LENGTH = 20


def needs_its_key(misconfigured: History) -> Verdict:
    return _refused(
        misconfigured, starts.missing_key(misconfigured.contract), starts.key_variable(misconfigured.contract)
    )


def refuses_insecure_keys(misconfigured: History) -> Verdict:
    contract = misconfigured.contract
    instances = (*starts.default_keys(contract), starts.short_key(contract))
    verdict = all_of(
        _refused(misconfigured, instance, starts.key_variable(contract)) for instance in instances
    )
    return _in_short(verdict, f"{len(instances)} insecure keys, all refused by name")


def rejects_forged_tokens(intruder: History) -> Verdict:
    [real] = intruder.exchanges("real token")
    if real.status != 200:
        return failed(
            f"GET {real.request.path} answers 200 to the token of a login", outcome(real.end), real.end
        )
    tried = [one for one in intruder.exchanges() if one.request.label.startswith("forged: ")]
    verdicts = [_unauthorised(one) for one in tried]
    verdicts += [_not_let_in(one) for one in intruder.exchanges("no token")]
    if not any(one.request.label == f"forged: {EXPIRED}" for one in tried):
        key = starts.key_variable(intruder.contract)
        reason = f"tokens are not signed (HS256) with {key}, so no expired one could be made"
        verdicts.append(not_judged(reason, real.end, blame="submission"))
    return _in_short(all_of(verdicts), f"{len(tried)} forged tokens, all 401")


def cors_is_an_allow_list(intruder: History) -> Verdict:
    asked = [one for one in intruder.exchanges() if one.request.label.startswith(("origin: ", "preflight: "))]
    verdict = all_of(
        _let_in(one, intruder.contract.origin.variable)
        if one.request.label.endswith(": configured")
        else _kept_out(one, intruder.contract.origin.variable)
        for one in asked
    )
    return _in_short(verdict, "the configured origin is let in, the others are not")


def refuses_malformed_values(misconfigured: History) -> Verdict:
    return all_of(
        _refused(misconfigured, instance, variable)
        for instance, variable in starts.malformed_urls(misconfigured.contract).items()
    )


def shows_secrets_nowhere(intruder: History, misconfigured: History) -> Verdict:
    expected = "no secret or password in any output, page or error body"
    leaks = Leaks([intruder, misconfigured])
    looked = 0
    for history in (intruder, misconfigured):
        for event in history.events:
            if text := _shown(event):
                looked += 1
                if name := leaks.find(text):
                    return failed(expected, f"{name} shows in {_place(event)}", event)
    return passed(f"none in {looked} lines and answers")


def env_example_is_complete(repository: History) -> Verdict:
    expected = ".env.example names every required variable and holds no usable secret"
    files = sorted(
        (file for file in repository.of(File) if file.path.rpartition("/")[2] == ".env.example"),
        key=lambda file: file.path.count("/"),
    )
    if not files:
        return failed(expected, "there is no .env.example")
    file = files[0]
    contract = repository.contract
    variables = env_file.variables(file.text)
    named = {variable.name for variable in variables}
    if missing := [name for name in contract.required if name not in named]:
        return failed(expected, f"{file.path} does not name {', '.join(missing)}", file)
    if usable := [one.name for one in variables if _is_usable(one, contract)]:
        return failed(expected, f"{file.path} holds a usable value of {', '.join(usable)}", file)
    return passed(f"{file.path} names all {len(contract.required)} and holds no usable secret", file)


def _in_short(verdict: Verdict, actual: str) -> Verdict:
    """Return a verdict as it is, or if it is good, with one sentence for all its parts."""
    return passed(actual, *verdict.evidence[:1]) if verdict.passed else verdict


def _refused(history: History, instance: str, variable: str) -> Verdict:
    """Judge that an instance ended by itself, in failure, without ever answering, and named the variable."""
    seconds = starts.patience(_usual_start(history))
    expected = f"with {instance}: a non-zero exit within {seconds:.0f} s, naming {variable}"
    events = _last_start(history, instance)
    exited = events.first(Exited)
    if not events.of(Launched):
        return not_judged(f"the instance with {instance} was not started")
    if actual := _not_ended(events):
        return failed(expected, actual, events.first(Ready) or exited or events.first(Launched))
    assert exited
    if exited.code == 0:
        return failed(expected, "it exited with code 0", exited)
    lines = [event for event in events.of(Log) if _names(event.text, variable)]
    if not lines:
        actual = f"it exited with code {exited.code}, but its output does not name {variable}"
        return failed(expected, actual, exited, *events.of(Log)[-1:])
    return passed(f"{instance}: exit {exited.code}", exited, lines[-1])


def _not_ended(start: History) -> str | None:
    """Say how an instance did anything else than end by itself; None where it did that."""
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
    events = [event for event in history.events if getattr(event, "instance", None) == instance]
    begun = [position for position, event in enumerate(events) if isinstance(event, Launched)]
    return History(events[begun[-1] :] if begun else [])


def _names(text: str, variable: str) -> bool:
    """Whether a text has a variable's name, in whatever case and with whatever between its words."""
    return re.search(r"[\W_]*".join(variable.split("_")), text, re.IGNORECASE) is not None


def _unauthorised(exchange: Exchange) -> Verdict:
    label = exchange.request.label
    if exchange.status == 401:
        return passed(label, exchange.end)
    if exchange.status == 429:
        return not_judged(f"a rate limit came before the token ({label})", exchange.end, blame="submission")
    asked = f"{exchange.request.method} {exchange.request.path}"
    return failed(f"401 from {asked} ({label})", outcome(exchange.end), exchange.end)


def _not_let_in(exchange: Exchange) -> Verdict:
    if exchange.status is not None and 400 <= exchange.status < 500:
        return passed("no token", exchange.end)
    asked = f"{exchange.request.method} {exchange.request.path}"
    return failed(f"401 (or 403) from {asked} without a token", outcome(exchange.end), exchange.end)


def _kept_out(exchange: Exchange, variable: str) -> Verdict:
    label = exchange.request.label
    if not isinstance(exchange.end, Answer):
        return not_judged(f"no answer ({label}): {outcome(exchange.end)}", exchange.end, blame="submission")
    granted = exchange.end.headers.get("access-control-allow-origin", "").strip()
    credentials = exchange.end.headers.get("access-control-allow-credentials", "").lower() == "true"
    origin = exchange.request.headers["origin"]
    expected = f"no access for an origin that {variable} does not name ({label})"
    if granted.lower() == origin:
        return failed(expected, f"access-control-allow-origin repeats {excerpt(origin, 80)}", exchange.end)
    if granted == "*" and credentials:
        return failed(expected, "every origin is let in (*), with credentials", exchange.end)
    return passed(label, exchange.end)


def _let_in(exchange: Exchange, variable: str) -> Verdict:
    label, origin = exchange.request.label, exchange.request.headers["origin"]
    expected = f"access-control-allow-origin: {origin}, which {variable} names ({label})"
    if not isinstance(exchange.end, Answer):
        return failed(expected, outcome(exchange.end), exchange.end)
    granted = exchange.end.headers.get("access-control-allow-origin", "").strip()
    if granted.lower() not in {origin, "*"}:
        return failed(expected, f"'{excerpt(granted, 80)}'" if granted else "no such header", exchange.end)
    if exchange.request.method == "OPTIONS" and not 200 <= exchange.end.status < 300:
        return failed(expected, f"the preflight got {outcome(exchange.end)}", exchange.end)
    return passed(label, exchange.end)


def _shown(event: Event) -> str:
    match event:
        case Log():
            return event.text
        case Answer():
            return "\n".join([event.body, *event.headers.values()])
        case _:
            return ""


def _place(event: Event) -> str:
    match event:
        case Log():
            return f"a line of {event.stream} ({event.instance})"
        case Answer():
            return f"an answer {event.status}"
        case _:
            return "an event"


def _is_usable(variable: env_file.Variable, contract: Contract) -> bool:
    """Whether a value could be taken into use as it stands: not empty, and nothing that says it is to be replaced."""
    if not variable.active or not variable.value or _PLACEHOLDER.search(variable.value):
        return False
    if any(variable.name in contract.secrets[one].variables for one in _PASSWORDS):
        return True
    length = starts.MINIMUM_LENGTH if variable.name == starts.key_variable(contract) else _REAL_KEY_LENGTH
    return bool(_SECRET_NAME.search(variable.name)) and len(variable.value) >= length
