"""Bodies on both sides of every bound that the contract sets for a completion."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.prompts import prompt

MAX_CONTENT = 32_000
MAX_MESSAGES = 100
MAX_TOKENS = 4096

ROLES = ("system", "user", "assistant")

OUTSIDE = "outside "
INSIDE = "inside "
"""How the labels of these requests begin, with the field that they are about."""

Body = dict[str, Any]
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A body, what is remarkable in it, and the field that this is about."""

    what: str
    field: str
    body: Body

    def label(self, side: str) -> str:
        """Return the label of its request, on either side of a bound."""
        return f"{side}{self.field}: {self.what}"


def field_of(label: str) -> str:
    """Return the field that a labelled request is about."""
    return label.split()[1].rstrip(":")


def what_of(label: str) -> str:
    """Return what is remarkable in a labelled request."""
    return label.partition(": ")[2]


def user(content: Any) -> Message:
    return {"role": "user", "content": content}


def conversation(key: str, length: int) -> list[Message]:
    """Return so many messages, the last of which asks for `key`.

    A system message comes first where the number is even; user and assistant take turns.
    """
    messages: list[Message] = [user(prompt(key))]
    while len(messages) + 1 < length:
        earlier = length - len(messages)
        messages[:0] = [
            user(f"Earlier question number {earlier}."),
            {"role": "assistant", "content": f"Earlier answer number {earlier}."},
        ]
    if len(messages) < length:
        messages.insert(0, {"role": "system", "content": "Answer in one sentence."})
    return messages


def breach(body: Any) -> str:
    """Say which rule of the contract a body breaks that leaves a service no choice; an empty string where none."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        return f"it does not have 1 to {MAX_MESSAGES} messages"
    for message in messages:
        role, content = (
            (message.get("role"), message.get("content")) if isinstance(message, dict) else ("", "")
        )
        if role not in ROLES or not isinstance(content, str) or not 1 <= len(content) <= MAX_CONTENT:
            return f"a message does not have a role and a content of 1 to {MAX_CONTENT:,} characters"
    if messages[0]["role"] == "assistant":
        return "the assistant begins"
    for name, (least, most) in {"temperature": (0, 2), "max_tokens": (1, MAX_TOKENS)}.items():
        value = body.get(name)
        if isinstance(value, int | float) and not least <= value <= most:
            return f"{name} is {value}"
    return ""


def outside(key: str, source: random.Random) -> Iterator[Case]:
    """Yield bodies that break one bound each, and nothing else."""
    good = user(prompt(key))
    over = source.choice([7, 1000])
    for role in source.sample(["robot", "tool", "moderator", "users"], 2):
        yield _messages(f"the role {role!r}", "role", [good, {"role": role, "content": "Well."}, good])
    yield _messages("a message without a role", "role", [good, {"content": "Well."}, good])
    yield _messages("an empty content", "content", [user("")])
    for length in (MAX_CONTENT + 1, MAX_CONTENT + over):
        yield _messages(f"a content of {length} characters", "content", [user("x" * length)])
    yield _messages("a message without a content", "content", [{"role": "user"}])
    yield _messages("a content that is null", "content", [user(None)])
    yield _messages("a content that is a number", "content", [user(7)])
    yield _messages("an empty content after a good message", "content", [good, _assistant("Well."), user("")])
    yield _messages("no messages", "messages", [])
    for length in (MAX_MESSAGES + 1, MAX_MESSAGES + source.choice([2, 50])):
        yield _messages(f"{length} messages", "messages", conversation(key, length))
    yield Case("messages that are a text", "messages", {"messages": "hello"})
    yield Case("no field messages", "messages", {"temperature": 1})
    for temperature in (-0.1, 2.1, source.choice([-1, 3, 100]), "warm"):
        yield _field("temperature", temperature, good)
    for tokens in (0, MAX_TOKENS + 1, source.choice([-1, -100, 10**6]), "many", 10.5):
        yield _field("max_tokens", tokens, good)


def inside(keys: Iterator[str], source: random.Random) -> Iterator[tuple[str, Case]]:
    """Yield bodies that lie just inside a bound, each with the key that it asks for."""
    yield next(keys), _messages("a content of 1 character", "content", [user("?")])
    for alphabet, padding in (("", "."), (" beyond ASCII", "é")):
        key = next(keys)
        what = f"a content of {MAX_CONTENT} characters{alphabet}"
        yield key, _messages(what, "content", [user(prompt(key).ljust(MAX_CONTENT, padding))])
    for length in (2, 3, source.randrange(40, 60), MAX_MESSAGES - 1, MAX_MESSAGES):
        key = next(keys)
        yield key, Case(f"{length} messages", "messages", {"messages": conversation(key, length)})
    key = next(keys)
    largest = [
        {**one, "content": str(one["content"]).ljust(MAX_CONTENT, ".")}
        for one in conversation(key, MAX_MESSAGES)
    ]
    what = f"{MAX_MESSAGES} messages of {MAX_CONTENT} characters each"
    yield key, Case(what, "messages", {"messages": largest})
    for temperature in (0, 2, 2.0, round(source.uniform(0.1, 1.9), 2)):
        key = next(keys)
        yield key, _field("temperature", temperature, user(prompt(key)))
    for tokens in (1, MAX_TOKENS, source.randrange(2, MAX_TOKENS)):
        key = next(keys)
        yield key, _field("max_tokens", tokens, user(prompt(key)))


def _messages(what: str, field: str, messages: list[Message]) -> Case:
    return Case(what, field, {"messages": messages})


def _field(name: str, value: Any, message: Message) -> Case:
    return Case(f"{name} {value!r}", name, {"messages": [message], name: value})


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}
