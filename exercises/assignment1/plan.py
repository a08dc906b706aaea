"""What the experiments of Assignment 1 draw and send, and the numbers on its pages, for experiments and checks alike."""

import json
import random
import re
from bisect import bisect
from collections.abc import Iterator
from itertools import islice
from typing import Any

from chaos.history import SERVICE, Answer, Failure, File, Given, History, Launched
from chaos.keys import expected_answer
from chaos.llm import (
    EmptyObject,
    MalformedJson,
    NoChoices,
    Reset,
    Status,
    Step,
    WrongContentType,
)
from exercises.assignment1.bounds import conversation
from exercises.chat.answer import json_object
from exercises.chat.prices import MILLION, PRICES
from lab.env_file import variables
from lab.flags import flags
from lab.settings import Settings

DEFAULT_TOKENS = 1024
"""The max_tokens of a request that has none, unless the limit is lower."""
GIVE_UP_SECONDS = 30.0
STREAM_SECONDS = 8.0
"""So long the beginning of a stream may take; nobody waits for the rest of it meanwhile."""
LEAVE_SECONDS = 5.0
RETRY_AFTER = 2
LONG = 45
"""Seconds in a Retry-After that nobody can wait within the time of an answer; SDKs would."""
ASKED_TO_WAIT_LONG = "asks it to wait for long"
SIDE_BY_SIDE = 16
SAMPLES = 6
"""Requests for each failure that lasts: pauses are compared by their means."""
FIRST_PAUSE = 0.1
"""Seconds before the first retry, at least and on average."""
PAUSED_SAMPLES = 2
"""So many of the requests that meet refused connections have to take as long as a pause."""
STREAMS_BEYOND = 3
"""So many streams are asked for beyond a limit of requests. A bucket may have room for one of them by then."""
DELAY = 0.4
"""Seconds that the provider takes for the answer whose latency is looked at."""

RETRY_AFTER_SLACK = 1.0
"""So many seconds later than told an address comes back: seconds may be cut off."""

OTHER_MODEL = "gpt-4o"
OTHER_PROVIDERS_MODEL = "claude-3-5-sonnet"
UNKNOWN = "lab-model-"
LIMITED_MODEL = "gpt-4o"
SPENDING_MODEL = "gpt-4o"
FREE = "a cost limit of 0"
"""The instance that is started with it."""
FALLBACK_USAGE = (41_000, 2_300)
SHARE_OF_BUDGET = 0.4
"""Of the daily limit, what one spending request costs."""
SPENDING_REQUESTS = 3
"""So many go beyond the limit, and no fewer: each has to count."""

PASSING: dict[str, Step] = {
    "429": Status(429),
    "500": Status(500),
    "502": Status(502),
    "503": Status(503),
    "504": Status(504),
    "broken connection": Reset(),
}
LASTING: dict[str, Step] = {
    "429": Status(429),
    "500": Status(500),
    "503": Status(503),
    "broken connection": Reset(),
}
REFUSED_CONNECTION = "lasting: refused connection"
FINAL = (400, 401, 403, 404)
RUBBISH_OF_ALL: dict[str, Step] = {
    "half of a JSON document": MalformedJson(),
    "an empty object": EmptyObject(),
    "a page of HTML": WrongContentType(),
}
RUBBISH: dict[str, Step] = {**RUBBISH_OF_ALL, "no choices": NoChoices()}
"""What the provider answers with 200, and is no completion. Anthropic's may have no content at all, and be one."""
OF_THE_OTHER = f" ({OTHER_PROVIDERS_MODEL})"
"""How labels end of requests that the second provider answers, if there is one."""

HELD_STREAMS = {"held": OTHER_MODEL, f"held{OF_THE_OTHER}": OTHER_PROVIDERS_MODEL}
"""The streams whose providers wait in the middle, with their models."""
SPENDING_STREAMS = {
    "spending stream": SPENDING_MODEL,
    f"spending stream{OF_THE_OTHER}": OTHER_PROVIDERS_MODEL,
}
BREAKS = ("error event", "cut off")
"""How a stream breaks in the middle."""
BROKEN_STREAMS = tuple(f"{how}{whose}" for how in BREAKS for whose in ("", OF_THE_OTHER))
HEALTH_NAMES = {"provider": ("openai", "provider", "llm", "model")}
"""What the entry of the provider may be called in a health report."""

_CALLED = ("name", "service", "component", "dependency", "check", "id")
"""The fields of an entry in a list that say what it is about."""
_DEPTH = 6
_POSITIVE = ("RATE_LIMIT_REQUESTS", "RATE_LIMIT_WINDOW", "MAX_TOKENS_PER_REQUEST")
_NO_NUMBERS = ("many", "1O0", "1e", "ten")
_NEGATIVE = ("-1", "-20")
_BLOCK = re.compile(r"^[ \t]*```+ *json\b[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_FENCE = re.compile("```")
_RULE = re.compile(r"conversation[ -]*rule", re.IGNORECASE)
_HEADING = re.compile(
    r"^(?:#[^\n]*|(?!(?:[-*+]|\d+[.)])[ \t]|[-`|>])\S[^\n]*\n {0,3}(?:=+|-+)[ \t\r]*)$", re.MULTILINE
)
"""A heading after `#`, or one that is underlined. A list, a table or a block before a line across is none."""
_README_CHARACTERS = 100_000
_MOST_HEADINGS = 20


def limits(source: random.Random) -> Settings:
    """Return other limits and another default model, for the environment. The default of max_tokens is too high for it."""
    return Settings(
        variables={
            "RATE_LIMIT_REQUESTS": str(source.randrange(4, 7)),
            "RATE_LIMIT_WINDOW": str(source.randrange(6, 9)),
            "MAX_TOKENS_PER_REQUEST": str(source.randrange(300, DEFAULT_TOKENS)),
            "DEFAULT_MODEL": OTHER_MODEL,
        }
    )


def given_limits(settings: Settings) -> tuple[int, int]:
    """Return how many requests are allowed in a window, and its seconds."""
    given = settings.variables
    return int(given["RATE_LIMIT_REQUESTS"] or 0), int(given["RATE_LIMIT_WINDOW"] or 0)


def budget(source: random.Random) -> Settings:
    """Return a daily limit of less than a dollar."""
    return Settings(variables={"DAILY_COST_LIMIT": f"{source.uniform(0.2, 0.9):.2f}"})


def usage_for(dollars: float, model: str) -> tuple[int, int]:
    """Return input and output tokens of a model that cost so much, half of it each."""
    price = PRICES[model]
    each = dollars / 2 * MILLION
    return round(each / price.input), round(each / price.output)


def env_file(source: random.Random) -> Settings:
    """Return a `.env` with another default model, and a token limit that the environment sets otherwise."""
    most = source.randrange(1100, 2500)
    return Settings(
        variables={"MAX_TOKENS_PER_REQUEST": str(most)},
        env_file={"DEFAULT_MODEL": OTHER_MODEL, "MAX_TOKENS_PER_REQUEST": str(most // 2)},
    )


def debug(_source: random.Random) -> Settings:
    """Return a service that is being debugged."""
    return Settings(variables={"DEBUG": "true"})


def malformed(history: History, source: random.Random) -> Iterator[tuple[str, str]]:
    """Yield variables with values that make no sense; one for a temperature only if the repository names one.

    What is most often let through is always tried: 0, a negative cost limit, and nan where a fraction is allowed, for no
    count of seconds or dollars reaches it. The seed draws one more from the others: each is a start of the service.
    """
    for name in _POSITIVE:
        yield name, "0"
    yield "RATE_LIMIT_REQUESTS", source.choice(_NO_NUMBERS)
    yield "DAILY_COST_LIMIT", source.choice(_NEGATIVE)
    for name in ("RATE_LIMIT_WINDOW", "DAILY_COST_LIMIT"):
        yield name, "nan"
    others = [(name, value) for name in _POSITIVE for value in _NEGATIVE]
    others += [(name, value) for name in (*_POSITIVE[1:], "DAILY_COST_LIMIT") for value in _NO_NUMBERS]
    yield source.choice(others)
    yield "DEBUG", source.choice(["perhaps", "2", "tru", "nope!"])
    example = history.first(File)
    for variable in variables(example.text) if example else []:
        if "TEMPERATURE" in variable.name.upper():
            yield variable.name, source.choice(["2.5", "-0.5", "hot"])


def conversation_body(key: str, model: str = OTHER_MODEL) -> dict[str, Any]:
    """Return a whole conversation that asks for `key`, with all parameters.

    An earlier question has white space around it, which is part of the content.
    """
    source = random.Random(key)  # noqa: S311 - must be replayable
    messages = conversation(key, 6)
    messages[1]["content"] = f"\n  {messages[1]['content']}  \n"
    return {
        "messages": messages,
        "model": model,
        "temperature": round(source.uniform(0.1, 1.9), 2),
        "max_tokens": source.randrange(50, 900),
    }


def unknown_model(source: random.Random) -> str:
    """Return the name of a model that has no price."""
    return f"{UNKNOWN}{source.getrandbits(24):06x}"


def some_usage(source: random.Random) -> tuple[int, int]:
    """Return counts of input and output tokens that no answer comes to by itself."""
    return source.randrange(3_000, 90_000), source.randrange(1_000, 4_000)


def own_rule(history: History) -> dict[str, Any]:
    """Return the two bodies of the conversation rule that a README documents; empty where it does not."""
    bodies, _ = _documented(history)
    return dict(zip(("accepted", "refused"), bodies, strict=True)) if len(bodies) == 2 else {}


def own_rule_lacks(history: History) -> str:
    """Say what a README lacks of a documented conversation rule."""
    return _documented(history)[1]


def _documented(history: History) -> tuple[list[Any], str]:
    """Return the bodies below the first heading that has them, or none and what the first one lacks."""
    readme = history.file("README.md")
    text = readme.text[:_README_CHARACTERS] if readme else ""
    # A title can have these words too, and so can a comment in a block of commands.
    headings = (found for found in _HEADING.finditer(text) if _RULE.search(found[0]))
    sections = [
        _examples(text[found.end() :], _level(found[0])) for found in islice(headings, _MOST_HEADINGS)
    ]
    if not sections:
        return [], "README.md has no heading that contains 'Conversation rule'"
    return next((section for section in sections if not section[1]), sections[0])


def _level(heading: str) -> int:
    """Return the level of a heading: after `#`, or underlined."""
    if heading.startswith("#"):
        return len(heading) - len(heading.lstrip("#"))
    return 1 if heading.rstrip().endswith("=") else 2


def _examples(section: str, level: int) -> tuple[list[Any], str]:
    """Return the two bodies in what follows a heading, headings below it included, or none and what it lacks."""
    fences = [found.start() for found in _FENCE.finditer(section)]
    starts = (found.start() for found in _HEADING.finditer(section) if _level(found[0]) <= level)
    end = next((start for start in starts if bisect(fences, start) % 2 == 0), None)
    blocks = _BLOCK.findall(section[:end])[:2]
    if len(blocks) < 2:
        return [], f"below README.md's 'Conversation rule' are {len(blocks)} blocks marked json, and not two"
    bodies = []
    for number, block in enumerate(blocks, start=1):
        try:
            bodies.append(json.loads(block))
        except (ValueError, RecursionError):
            return [], f"block {number} below README.md's 'Conversation rule' is not JSON"
    return bodies, ""


def tells(end: Answer | Failure | None, *, up: bool) -> bool:
    """Whether a health report says that the provider is up, or that it is not."""
    report = json_object(end) if isinstance(end, Answer) and end.status in {200, 503} else None
    if not isinstance(end, Answer) or report is None:
        return False
    flag = flags(end.body, HEALTH_NAMES)["provider"]
    if up:
        # Where the status says whether the provider is up, its entry may say anything else of it.
        return end.status == 200 and flag is not False and _has_entry(report)
    return end.status == 503 or flag is False


def _has_entry(report: Any, depth: int = _DEPTH) -> bool:
    """Whether a part of a report is called after the provider."""
    if not depth or not isinstance(report, dict | list):
        return False
    if isinstance(report, list):
        return any(_has_entry(one, depth - 1) for one in report)
    called = (*report, *(str(report[name]) for name in _CALLED if name in report))
    named = any(name in one.lower() for one in called for name in HEALTH_NAMES["provider"])
    return named or any(_has_entry(one, depth - 1) for one in report.values())


def early_word(key: str) -> str:
    """Return a telling word from the beginning of the provider's answer."""
    return max(expected_answer(key).split()[:3], key=len)


def attempts(history: History) -> list[str]:
    """Return the names of the instances that were started beside the service."""
    names = (event.instance for event in history.of(Launched) if event.instance != SERVICE)
    return list(dict.fromkeys(names))


def window_of(history: History) -> int:
    """Return the seconds of the window that a service was given for its request limit."""
    return _given_number(history, "RATE_LIMIT_WINDOW")


def token_limit_of(history: History) -> int:
    """Return the most tokens that a service was told to let a request ask for."""
    return _given_number(history, "MAX_TOKENS_PER_REQUEST")


def _given_number(history: History, name: str) -> int:
    given = next(event.variables for event in history.of(Given) if name in event.variables)
    return int(given[name] or 0)
