"""Judges streams of chats, and whether their tokens are counted."""

from typing import Any

from chaos.history import Answer, Exchange, History, Part
from chaos.keys import expected_answer
from exercises.project61.part1_functionality.axes import ASKED_FOR_USAGE
from exercises.project61.part1_functionality.results import at, returned, text_of, trouble
from exercises.project61.usage_report import TOKENS, tokens_used, unread
from lab.event_stream import DONE, events
from lab.reading import as_json, excerpt, outcome
from lab.verdict import Verdict, all_of, failed, passed

LEAST_CHUNKS = 2


def chat_streams(streams: History, requests: History) -> Verdict:
    [held] = streams.exchanges("held")
    parts = [
        _read_by_the_client(requests, one)
        for name in ASKED_FOR_USAGE.values
        for one in requests.exchanges(f"streamed: {name}")
    ]
    return all_of([_arrives(streams, held), *parts])


def streamed_usage_is_counted(requests: History) -> Verdict:
    asked = {name: requests.exchanges(f"streamed: {name}")[0] for name in ASKED_FOR_USAGE.values}
    reported = [_reported(requests, one) for one in asked.values()]
    before, after = requests.exchanges("usage before")[-1], requests.exchanges("usage after")[-1]
    first, last = tokens_used(before.end), tokens_used(after.end)
    if first is None or last is None:
        wrong = before if first is None else after
        expected = "GET /v1/usage tells prompt_tokens and completion_tokens"
        return failed(expected, unread(wrong.end, *TOKENS), wrong.end)
    if not all(reported):
        return failed("streams of the backend's", "the backend was not asked for both", after.end)
    expected_sum = tuple(sum(usage[i] for usage in reported if usage) for i in (0, 1))
    counted = (last[0] - first[0], last[1] - first[1])
    if counted != expected_sum:
        expected = (
            f"{expected_sum[0]} and {expected_sum[1]} tokens for {len(asked)} streams, as the backend reports"
        )
        return failed(expected, f"GET /v1/usage has {counted[0]} and {counted[1]} more", after.end)
    for name, wanted in ASKED_FOR_USAGE.values.items():
        shown = _shown_usage(requests, asked[name])
        if wanted and shown != [reported[list(asked).index(name)]]:
            return failed(
                "the usage in the last chunk for who asks for it", f"{shown or 'none'}", asked[name].end
            )
        if not wanted and _without_choices(requests, asked[name]):
            expected = "no chunk without choices for who does not ask for the usage"
            return failed(expected, "there is one, where clients read choices[0]", asked[name].end)
    return passed(f"{expected_sum[0]} and {expected_sum[1]} tokens of {len(asked)} streams", after.end)


def _arrives(history: History, held: Exchange) -> Verdict:
    end = held.end
    if not isinstance(end, Answer) or end.status != 200:
        return failed("a stream", outcome(end), end)
    content_type = end.headers.get("content-type", "")
    if not content_type.startswith("text/event-stream"):
        return failed("an answer of the type text/event-stream", excerpt(content_type) or "no type", end)
    if not any(part.request == held.request.request for part in history.of(Part)):
        return failed(
            "the first words while the backend holds back the rest of its answer",
            "nothing came until the backend went on",
            end,
        )
    found = events(end.body)
    if not found or found[-1] != DONE:
        return failed("data: [DONE] at the end", excerpt(found[-1] if found else "no event", 60), end)
    return _told([as_json(event) for event in found[:-1]], held)


def _read_by_the_client(history: History, asked: Exchange) -> Verdict:
    chunks = returned(history, asked)
    if not isinstance(chunks, list) or not chunks:
        return failed("a stream that the official client reads", trouble(history, asked), asked.end)
    return _told(chunks, asked)


def _told(chunks: list[Any], exchange: Exchange) -> Verdict:
    """Judge the chunks of an answer."""
    whole, text = expected_answer(exchange.request.key or ""), text_of(chunks)
    if text != whole:
        return failed(f"the backend's text, {whole!r}", excerpt(repr(text)), exchange.end)
    if sum(bool(text_of([chunk])) for chunk in chunks) < LEAST_CHUNKS:
        return failed("a chunk for each of the backend's", "the whole text in one", exchange.end)
    if any(at(chunk, "object") != "chat.completion.chunk" for chunk in chunks):
        return failed("chunks whose object is chat.completion.chunk", "others", exchange.end)
    if not any(at(chunk, "choices", 0, "finish_reason") == "stop" for chunk in chunks):
        return failed("a chunk with the finish_reason", "none", exchange.end)
    return passed("streams arrive chunk by chunk", exchange.end)


def _reported(history: History, asked: Exchange) -> tuple[int, int] | None:
    """Return the tokens that the backend has counted for a request."""
    replies = [call.reply for call in history.calls(key=asked.request.key) if call.reply]
    return next((reply.usage for reply in reversed(replies) if reply.usage), None)


def _shown_usage(history: History, asked: Exchange) -> list[tuple[Any, Any]]:
    """Return the usage in each chunk that has it."""
    chunks = returned(history, asked)
    found = [at(chunk, "usage") for chunk in chunks] if isinstance(chunks, list) else []
    return [
        (one.get("prompt_tokens"), one.get("completion_tokens")) for one in found if isinstance(one, dict)
    ]


def _without_choices(history: History, asked: Exchange) -> bool:
    chunks = returned(history, asked)
    return isinstance(chunks, list) and any(not at(chunk, "choices") for chunk in chunks)
