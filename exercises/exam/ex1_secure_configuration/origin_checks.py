"""Judges which origins a browser would let call the service (the CORS protocol of the Fetch standard)."""

from chaos.history import Answer, Exchange, History
from exercises.exam.ex1_secure_configuration.axes import CONFIGURED, FOREIGN
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

_REQUEST, _PREFLIGHT = "origin: ", "preflight: "
_SAFELISTED_METHODS = {"get", "head", "post"}
"""What a page may send from anywhere, so that no preflight has to allow it."""
_ABSENT = {404, 405, 501}
"""Answers of an endpoint that the service does not have: a cache is none that it needs."""


def cors_is_an_allow_list(exposed: History) -> Verdict:
    asked = [one for one in exposed.exchanges() if one.request.label.startswith((_REQUEST, _PREFLIGHT))]
    variable = exposed.contract.origin.variable
    own = [one for one in asked if one.request.label in {_REQUEST + CONFIGURED, _PREFLIGHT + CONFIGURED}]
    foreign = sorted((one for one in asked if one not in own), key=_plainness)
    absent = {(one.request.method, one.request.path) for one in own if one.status in _ABSENT}
    own = [one for one in own if _asked_for(one) not in absent]
    verdict = all_of(
        [*(_kept_out(one, variable) for one in foreign), *(_let_in(one, variable) for one in own)]
    )
    origins = len({one.request.headers["origin"] for one in own})
    kinds = len({one.request.headers["origin"] for one in foreign})
    return in_short(verdict, f"the {origins} configured origins are let in, {kinds} foreign ones are not")


def _asked_for(exchange: Exchange) -> tuple[str, str]:
    """Return the method and path that a request is about, or a preflight asks for."""
    request = exchange.request
    return request.headers.get("access-control-request-method", request.method), request.path


def _plainness(exchange: Exchange) -> int:
    """Where a foreign origin stands among all: the first to be let in is told, and that is best a plain one."""
    name = exchange.request.label.partition(": ")[2]
    names = list(FOREIGN.values)
    return names.index(name) if name in names else len(names)


def _kept_out(exchange: Exchange, variable: str) -> Verdict:
    label = exchange.request.label
    if not isinstance(exchange.end, Answer):
        return not_judged(f"no answer ({label}): {outcome(exchange.end)}", exchange.end, blame="submission")
    granted = _header(exchange.end, "allow-origin")
    origin = exchange.request.headers["origin"]
    expected = f"no access for {excerpt(origin, 80)}, which {variable} does not name ({label})"
    if granted.lower() == origin.lower():
        return failed(expected, f"access-control-allow-origin repeats {excerpt(origin, 80)}", exchange.end)
    if granted == "*" and _header(exchange.end, "allow-credentials").lower() == "true":
        return failed(expected, "every origin is let in (*), with credentials", exchange.end)
    return passed(label, exchange.end)


def _let_in(exchange: Exchange, variable: str) -> Verdict:
    label, origin = exchange.request.label, exchange.request.headers["origin"]
    asked = f"{exchange.request.method} {exchange.request.path}"
    expected = f"{asked} lets in {origin}, which {variable} names ({label})"
    if not isinstance(exchange.end, Answer):
        return failed(expected, outcome(exchange.end), exchange.end)
    preflight = label.startswith(_PREFLIGHT)
    if not preflight and exchange.end.status >= 400:
        return passed("an error, which the page of an origin need not be able to read", exchange.end)
    granted = _header(exchange.end, "allow-origin")
    if granted.lower() not in {origin, "*"}:
        actual = (
            f"access-control-allow-origin is '{excerpt(granted, 80)}'"
            if granted
            else "there is no access-control-allow-origin"
        )
        return failed(expected, actual, exchange.end)
    if preflight and not 200 <= exchange.end.status < 300:
        return failed(expected, f"the preflight got {outcome(exchange.end)}", exchange.end)
    if preflight and (missing := _not_allowed(exchange, exchange.end)):
        return failed(f"{expected} with {missing}", "the preflight does not allow it", exchange.end)
    return passed(label, exchange.end)


def _not_allowed(exchange: Exchange, answer: Answer) -> str | None:
    """Return what a preflight asked for and was not allowed: its method, or one of its headers."""
    method = exchange.request.headers.get("access-control-request-method", "get")
    methods = _listed(answer, "allow-methods")
    if method.lower() not in _SAFELISTED_METHODS | methods and "*" not in methods:
        return f"the method {method}"
    headers = _listed(answer, "allow-headers")
    wanted = exchange.request.headers.get("access-control-request-headers", "").split(",")
    return next((f"the header {one}" for one in wanted if one and not headers & {one, "*"}), None)


def _listed(answer: Answer, name: str) -> set[str]:
    return {one.strip().lower() for one in _header(answer, name).split(",")}


def _header(answer: Answer, name: str) -> str:
    return answer.headers.get(f"access-control-{name}", "").strip()
