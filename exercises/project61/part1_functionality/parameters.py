"""The parameters of a chat request that have to reach the backend as they were sent."""

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]

_SCHEMA = {
    "type": "object",
    "properties": {"shelf": {"type": "string"}, "number": {"type": "integer"}},
    "required": ["shelf", "number"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "function": {"name": "find_shelf", "description": "Find a shelf.", "parameters": _SCHEMA, "strict": True},
}
_PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="

PARAMETERS: dict[str, Fields] = {
    "sampling": {
        "temperature": 0.37,
        "top_p": 0.83,
        "seed": 7919,
        "presence_penalty": 0.25,
        "frequency_penalty": -0.5,
        "logit_bias": {"1734": -40},
    },
    "limits": {"max_completion_tokens": 77, "stop": ["\n\n", "THE END"]},
    "zeros": {"temperature": 0, "seed": 0, "presence_penalty": 0, "logprobs": False},
    "log probabilities": {"logprobs": True, "top_logprobs": 3, "user": "reader-41"},
    "tools": {
        "tools": [_TOOL],
        "tool_choice": {"type": "function", "function": {"name": "find_shelf"}},
        "parallel_tool_calls": False,
    },
    "response format": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
        }
    },
    "fields of other backends": {
        "min_p": 0.05,
        "chat_template_kwargs": {"enable_thinking": False, "depth": [1, 2]},
    },
}
"""By kind; the last are no parameters of OpenAI's, but vLLM, llama.cpp and LiteLLM have such."""


def conversation(prompt: str) -> list[dict[str, Any]]:
    """Return messages of every role, with an image and a call of a tool, that end in a prompt."""
    arguments = '{"shelf": "B", "number": 7}'
    function = {"name": "find_shelf", "arguments": arguments}
    return [
        {"role": "system", "content": "You answer in one sentence."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": _PIXEL, "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "shelf B, number 7"},
        {"role": "user", "content": prompt},
    ]


_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "parallel_tool_calls": (True,),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
_CALLER = {"user", "safety_identifier", "prompt_cache_key"}
"""OpenAI has the latter two in place of the first."""
_ADDED = {"model", "messages", "stream", "stream_options", "metadata", "store", "service_tier"} | _CALLER
_CAPS = {"max_tokens", "max_completion_tokens"}


def changed(sent: Fields, asked: Fields) -> str:
    """Say what reached the backend otherwise than it was sent, or was added on the way; empty if nothing did.

    A null counts as nothing. A gateway may add what is its own business: who asks, a cap on the answer's length, and
    OpenAI's defaults.
    """
    for name, value in sent.items():
        if name not in asked:
            return f"'{name}' is missing"
        if not same(value, asked[name]):
            return f"'{name}' is {asked[name]!r} instead of {value!r}"
    for name in asked.keys() - sent.keys() - _ADDED - _CAPS:
        value = asked[name]
        if value is not None and not any(same(value, usual) for usual in _DEFAULTS.get(name, ())):
            return f"'{name}' was added: {value!r}"
    return ""


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, nulls in objects aside."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = {name for name in (*one, *other) if one.get(name) is not None or other.get(name) is not None}
        return all(same(one.get(name), other.get(name)) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
