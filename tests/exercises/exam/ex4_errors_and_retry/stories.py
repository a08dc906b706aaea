"""Histories of exercise 4's experiments, as a right service makes them, with what a test has changed."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chaos.history import TRACE_PARTS, Call, Fault, History, Reply, Request, Trace, TracePart
from chaos.keys import expected_answer
from exercises.exam.ex4_errors_and_retry.axes import (
    CLIENT_ERRORS,
    INCOMPLETE,
    LASTING,
    MALFORMED,
    MLFLOW_FAULTS,
    ORDERS,
    RATE_LIMITS,
)
from exercises.exam.ex4_errors_and_retry.own_errors import OWN_ERRORS
from tests.lab.story import Story

DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


def context() -> Iterator[dict[str, Any]]:
    """Yield error bodies as the exam wants them."""
    for number in itertools.count(1):
        yield {
            "error": "upstream_error",
            "message": "The model failed.",
            "incident_id": f"incident-{number:04}",
            "timestamp": "2026-11-21T10:00:00+00:00",
        }


class Service(Story):
    """A story in which error answers have their context and its incident is logged."""

    bodies = context()

    def refuse(
        self, label: str, status: int, *, body: Any = None, logged: bool = True, **options: Any
    ) -> Request:
        """Record a request that ends in an error without a call to the model."""
        request = self.ask(label)
        self.give(request, status, body=body, logged=logged, **options)
        return request

    def give(
        self, request: Request, status: int, *, body: Any = None, logged: bool = True, **options: Any
    ) -> None:
        """Record the error that a request ends in."""
        body = next(self.bodies) if body is None else body
        inner = body.get("detail", body) if isinstance(body, dict) else {}
        if logged and isinstance(inner, dict) and "incident_id" in inner:
            self.log(f'{{"event": "failed", "incident_id": "{inner["incident_id"]}"}}')
        headers = {"date": DATE, **options.pop("headers", {})}
        self.answer(request, status, body=body, headers=headers, **options)

    def fails(
        self,
        label: str,
        status: int,
        *,
        calls: int = 1,
        upstream: int = 503,
        pauses: Sequence[float] = (),
        **options: Any,
    ) -> None:
        """Record a request that ends in an error after calls to the model, with pauses between them."""
        request = self.ask(label)
        self.call(request, status=upstream)
        for pause in [*pauses, *[0.1] * (calls - 1 - len(pauses))]:
            self.now += pause
            self.call(request, status=upstream)
        self.give(request, status, **options)

    def recovers(self, label: str, pauses: Sequence[float], *, upstream: int = 503) -> None:
        """Record a request that is answered after failures."""
        request = self.ask(label)
        for pause in pauses:
            self.call(request, status=upstream)
            self.now += pause
        self.call(request)
        self.answer(request)

    def limited(self, label: str, waits: Sequence[float]) -> Request:
        """Record calls that each meet a rate limit, and so many seconds after each the next one; without the end."""
        request = self.ask(label)
        for number in range(len(waits) + 1):
            call = Call(
                call=1000 + len(self.history.of(Call)),
                upstream="litellm",
                method="POST",
                path="/v1/chat/completions",
                connection=1,
                key=request.key,
                step="rate-limited" if number < len(waits) else "answer",
            )
            self.add(call)
            self.add(Reply(call=call.call, outcome="answered", status=429))
            self.now += waits[number] if number < len(waits) else 0
        return request

    @property
    def history(self) -> History:
        return self._recorder.history()


PAUSES = ((0.8, 1.7, 3.6), (1.0, 1.9, 3.9), (0.7, 1.3, 2.9), (0.9, 1.6, 3.2))
"""What equal jitter draws, for instance."""


def retries(
    *,
    pauses: Sequence[Sequence[float]] = PAUSES,
    broken: str = "",
    broken_headers: dict[str, str] | None = None,
    statuses: dict[str, int] | None = None,
    repeats: bool = False,
    rejected: Sequence[str] = (),
    rejected_midway: Sequence[str] = (),
) -> History:
    """Tell of failures that pass and of those that last; the kind of failure that is `broken` is passed on.

    Those that are `rejected` met an open breaker until the experiment had no more time, others one that opened midway.
    """
    story = Service("retries")
    drawn = itertools.cycle(pauses)
    for label in rejected_midway:
        request = story.ask(label)
        story.call(request, status=503)
        story.give(request, 502)
        story.refuse("healthy", 503, headers={"retry-after": "60"})
    for label in rejected:
        story.refuse(label, 503, headers={"retry-after": "60"})
    for label in ("500 once", "502 twice", "503 twice", "reset once", "refused once"):
        if label in {*rejected, *rejected_midway}:
            continue
        if label == broken:
            story.fails(label, 503 if broken_headers else 502, headers=broken_headers or {})
            continue
        if repeats:
            story.fails(label, 503, headers={"retry-after": "10"})
        story.recovers(label, next(drawn)[: 2 if label.endswith("twice") else 1])
    for kind in LASTING.values:
        story.fails(
            f"lasting {kind}",
            (statuses or {}).get(kind, 502),
            calls=1 + len(pauses[0]),
            pauses=next(drawn),
        )
    return story.end()


def refusals(
    *,
    calls: dict[str, int] | None = None,
    statuses: dict[str, int] | None = None,
    limits: dict[str, Callable[[Service, str], None]] | None = None,
    body: Any = None,
    more: Callable[[Service], None] = lambda _: None,
) -> History:
    """Tell of requests that the model or the service refuses; `statuses`, `calls` and `limits` go by labels."""
    story = Service("refusals")
    told = statuses or {}
    for code in CLIENT_ERRORS.values:
        for _ in range(2):
            story.fails(
                f"model-{code}",
                told.get(f"model-{code}", int(code)),
                calls=(calls or {}).get(code, 1),
                upstream=int(code),
                body=body,
            )
    story.fails("400 after a 503", 400, calls=(calls or {}).get("400 after a 503", 2))
    for name in MALFORMED.values:
        story.fails(f"malformed: {name}", told.get(name, 502), upstream=200)
    for name in INCOMPLETE.values:
        story.fails(f"incomplete: {name}", told.get(name, 502), upstream=200)
    for name in RATE_LIMITS.values:
        (limits or {}).get(name, honours)(story, name)
    for name in OWN_ERRORS.values:
        story.refuse(f"wrong: {name}", told.get(f"wrong: {name}", 422))
    for _ in range(3):
        story.refuse("lasting refused", told.get("refused", 503), after=7)
    more(story)
    return story.end()


def honours(story: Service, name: str) -> None:
    if name == "two minutes":
        passes_on(story, name, retry_after="120")
        return
    request = story.limited(f"rate limit: {name}", [3.1, 3.2] if name.endswith("twice") else [3.1])
    story.answer(request)


def comes_early(story: Service, name: str, waits: Sequence[float] = (1.0,)) -> None:
    story.answer(story.limited(f"rate limit: {name}", waits))


def passes_on(
    story: Service, name: str, *, status: int = 429, retry_after: str = "3", after: float = 0.01
) -> None:
    request = story.limited(f"rate limit: {name}", [])
    headers = {"retry-after": retry_after} if retry_after else {}
    story.give(request, status, headers=headers, after=after)


def hang(status: int = 504) -> History:
    story = Service("hang")
    story.fails("hanging", status, after=20)
    return story.end()


def mlflow_down(
    *,
    extra: float = 0.0,
    status: int = 200,
    place: Any = "file",
    lost: int = 0,
    called: bool = True,
    holds: tuple[TracePart, ...] = TRACE_PARTS,
    more: Callable[[Service], None] = lambda _: None,
) -> History:
    """Tell of requests while MLflow is in trouble, whose answers take `extra` seconds; the last traces are `lost`."""
    story = Service("mlflow_down")
    if called:
        path = "/api/3.0/mlflow/traces"
        story.add(Call(call=900, upstream="mlflow", method="POST", path=path, connection=1))
    story.serve("baseline")
    story.add(Fault(name="outage", upstream="mlflow", on=True))
    keys = []
    for fault, order in itertools.product(MLFLOW_FAULTS.values, ORDERS.values):
        request = story.ask(f"mlflow {fault}, {order}")
        keys.append(request.key or "")
        story.call(request)
        begun = story.now
        body = {"response": expected_answer(request.key or "")} if status == 200 else next(Service.bodies)
        more(story)
        story.answer(request, status, after=0.01 + extra, body=body, started=begun)
    for key in keys[: len(keys) - lost]:
        story.add(Trace(key=key, place=place, detail="repo/data/traces.jsonl", holds=holds))
    return story.end()
