"""Tells whether a service lets prompts wait for each other: under a lock, or with room for one call of the model."""

from chaos.history import Exchange, History

LONG_WAIT_SECONDS = 2.0
"""A prompt has reached the model by then, unless something keeps it; a busy machine may need a second."""
LEAST_WAITING = 2
"""How many prompts have to wait before they say something of the service."""
EXPLANATION = "the model never had two requests at once, so prompts wait for each other"


def explain_queue(history: History) -> str:
    """Return a half-sentence for a verdict if prompts wait for each other, else an empty text."""
    return f"; {EXPLANATION}" if is_one_at_a_time(history) else ""


def is_one_at_a_time(history: History) -> bool:
    """Return whether no two calls of the model ever overlapped, although several prompts waited for theirs."""
    spans = [(one.call.t, one.reply.t if one.reply else float("inf")) for one in history.calls()]
    ends = [end for _, end in spans]
    if any(begin < end for (begin, _), end in zip(spans[1:], ends, strict=False)):
        return False
    return sum(_waited(history, one, spans) for one in _prompts(history)) >= LEAST_WAITING


def _prompts(history: History) -> list[Exchange]:
    return [one for one in history.exchanges() if one.request.key]


def _waited(history: History, exchange: Exchange, spans: list[tuple[float, float]]) -> bool:
    """Return whether a prompt was kept from the model while it served another one."""
    begin = exchange.request.t
    came = [one.call for one in history.calls(key=exchange.request.key)]
    end = (came[0] if came else exchange.end or history.events[-1]).t
    return any(min(end, until) - max(begin, since) > LONG_WAIT_SECONDS for since, until in spans)
