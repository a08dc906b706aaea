"""4.8: what an error answer must not show, in its body or in its head."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from chaos.history import Answer, Exchange, Fault, History, Ready
from exercises.exam.ex4_errors_and_retry.error_body import every_error
from exercises.exam.ex4_errors_and_retry.planted import GATEWAY
from lab.reading import excerpt
from lab.verdict import Verdict, failed, not_judged, passed

EXPECTED = "no traceback, file path or upstream address in an error answer"

_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]|\blocalhost):\d{2,5}\b"
_POOL = r"\bHTTPS?Connection(?:Pool)?\(host=|\('\d{1,3}(?:\.\d{1,3}){3}', \d{2,5}\)"
"""How urllib3, and errors of sockets, write an address."""
_INTERNALS = re.compile(
    r"Traceback \(most recent call last\)|File \\?\"[^\"]+\"|\bsite-packages\b|\b[\w/.-]+\.py\b"
    r"|(?<![\w.])/(?:home|usr|srv|app|root|tmp|var|opt)/[\w./-]+"
    rf"|{_ADDRESS}|{_POOL}|\b{re.escape(GATEWAY)}\b",
    re.IGNORECASE,
)
_UNESCAPED = re.compile(r"\\/")


def errors_hide_internals(
    refusals: History, hang: History, transient: History, mlflow_down: History, run: Sequence[History]
) -> Verdict:
    own = (refusals, hang, transient, mlflow_down)
    errors = [exchange for history in own for exchange in every_error(history)]
    looked = len(errors)
    addresses = {ready.address for history in (*own, *run) for ready in history.of(Ready) if ready.address}
    for exchange in (*errors, *_unreachable(history for history in run if history not in own)):
        answer = exchange.answer
        assert answer
        for where, text in _texts(exchange, answer, addresses):
            if leak := _INTERNALS.search(text):
                return failed(
                    EXPECTED,
                    f"{where} of a {answer.status} says '{excerpt(leak.group(), 80)}' ({exchange.request.label})",
                    answer,
                )
    if not looked:
        return not_judged("the service gave no error answer", blame="submission")
    return passed(f"none in {looked} error answers")


def _unreachable(histories: Iterable[History]) -> Iterator[Exchange]:
    """Yield the errors to prompts in other exercises where the model took no connections: that takes long to show."""
    for history in histories:
        ask, model = history.contract.ask, history.contract.model
        if any(fault.name == "blackhole" and fault.upstream == model for fault in history.of(Fault)):
            yield from (one for one in every_error(history) if ask and one.request.path == ask.path)


def _texts(exchange: Exchange, answer: Answer, addresses: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what an answer shows, and where; the `addresses` that callers ask at are no upstream's."""
    asked_at = rf"https?://[\w.:\[\]-]+(?={re.escape(exchange.request.path)})"
    own = re.compile("|".join([asked_at, *(rf"(?<!\d){re.escape(one)}(?!\d)" for one in addresses)]))
    yield "the body", own.sub("", _UNESCAPED.sub("/", answer.body))
    for name, value in answer.headers.items():
        yield f"the header {name}", own.sub("", value)
