"""Judges what the official client returned of chats, embeddings and models."""

import base64
import struct
from typing import Any

from chaos.history import Call, Exchange, History
from chaos.keys import expected_answer
from chaos.vectors import vector
from exercises.project61.part1_functionality.axes import BASE64, INPUT_OPTIONS
from exercises.project61.part1_functionality.results import at, returned, trouble
from lab.prompts import prompt
from lab.reading import excerpt
from lab.verdict import Verdict, all_of, failed, in_short, passed

PRECISION = 1e-5
"""Vectors may go through single precision, or through JSON with fewer digits."""


def chat_answers(requests: History) -> Verdict:
    assert requests.contract.ask
    models = requests.contract.ask.models
    verdict = all_of(
        _chat(requests, one, model) for model in models for one in requests.exchanges(f"chat: {model}")
    )
    return in_short(verdict, f"{len(models)} models answered the official client")


def embeddings_answer(requests: History) -> Verdict:
    asked = [one for one in requests.exchanges() if one.request.label.startswith("embeddings: ")]
    verdict = all_of(_embeddings(requests, one) for one in asked)
    return in_short(verdict, f"{len(asked)} requests got the backend's vectors")


def models_are_listed(requests: History) -> Verdict:
    assert requests.contract.ask
    expected = "the models of the backend, from the backend"
    [asked] = requests.exchanges("models")
    listed = at(returned(requests, asked), "data")
    if not isinstance(listed, list):
        return failed(expected, trouble(requests, asked), asked.end)
    names = {at(one, "id") for one in listed}
    if missing := [model for model in requests.contract.ask.models if model not in names]:
        return failed(expected, f"{missing[0]} is not listed", asked.end)
    if not any("model" in call.path for call in requests.of(Call) if call.method == "GET"):
        return failed(expected, "they are listed, but the backend was never asked for them", asked.end)
    return passed(f"{len(names)} models", asked.end)


def _chat(history: History, asked: Exchange, model: str) -> Verdict:
    key = asked.request.key or ""
    got = returned(history, asked)
    calls = [call for call in history.calls(key=key) if call.reply and call.reply.usage]
    if got is None or not calls:
        return failed(f"a chat completion of {model}", trouble(history, asked), asked.end)
    reply = calls[-1].reply
    assert reply
    assert reply.usage
    prompt_tokens, completion_tokens = reply.usage
    facts: dict[str, tuple[Any, Any]] = {
        "object": (at(got, "object"), "chat.completion"),
        "model": (at(got, "model"), model),
        "choices[0].message.role": (at(got, "choices", 0, "message", "role"), "assistant"),
        "choices[0].message.content": (at(got, "choices", 0, "message", "content"), expected_answer(key)),
        "choices[0].finish_reason": (at(got, "choices", 0, "finish_reason"), "stop"),
        "usage.prompt_tokens": (at(got, "usage", "prompt_tokens"), prompt_tokens),
        "usage.completion_tokens": (at(got, "usage", "completion_tokens"), completion_tokens),
        "usage.total_tokens": (at(got, "usage", "total_tokens"), prompt_tokens + completion_tokens),
    }
    for name, (seen, expected) in facts.items():
        if seen != expected:
            return failed(f"{name} is {expected!r}, as the backend has it", excerpt(repr(seen)), asked.end)
    if not isinstance(at(got, "id"), str) or not isinstance(at(got, "created"), int):
        return failed("an id and the time of its creation", excerpt(str(got)), asked.end)
    return passed(f"{model} answered", asked.end)


def _embeddings(history: History, asked: Exchange) -> Verdict:
    got = returned(history, asked)
    keys = (asked.request.key or "").split()
    kind = asked.request.label.removeprefix("embeddings: ")
    data = at(got, "data")
    if not isinstance(data, list):
        return failed(f"embeddings for {kind}", trouble(history, asked), asked.end)
    if len(data) != len(keys):
        return failed(f"{len(keys)} vectors for {kind}", f"{len(data)}", asked.end)
    for position, key in enumerate(keys):
        if wrong := _wrong_vector(data[position], position, key, kind):
            expected = f"vector {position + 1} of {len(keys)} as the backend made it, with its index ({kind})"
            return failed(expected, wrong, asked.end)
    if not isinstance(at(got, "usage", "prompt_tokens"), int):
        return failed(f"the usage of the backend ({kind})", excerpt(str(at(got, "usage"))), asked.end)
    return passed(f"{len(keys)} vectors", asked.end)


def _wrong_vector(one: Any, position: int, key: str, kind: str) -> str:
    """Say what is wrong with an entry of an answer with vectors; an empty string for nothing."""
    seen = at(one, "embedding")
    if kind == BASE64:
        seen = _decoded(seen)
        if seen is None:
            return f"no numbers in base64: {excerpt(repr(at(one, 'embedding')), 60)}"
    size = len(seen) if isinstance(seen, list) else 0
    if at(one, "index") != position or not _near(seen, vector(prompt(key), size) if size else []):
        return f"another one, of {size} numbers"
    wanted = INPUT_OPTIONS.get(kind, {}).get("dimensions")
    return "" if wanted in {None, size} else f"one of {size} numbers, and not of {wanted}"


def _decoded(seen: Any) -> list[float] | None:
    """Return the numbers of a vector in base64, as OpenAI's API has it; None for anything else."""
    try:
        data = base64.b64decode(seen, validate=True)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    except (TypeError, ValueError, struct.error):
        return None


def _near(seen: Any, made: list[float]) -> bool:
    return bool(made) and all(
        isinstance(one, int | float) and abs(one - other) <= PRECISION
        for one, other in zip(seen, made, strict=True)
    )
