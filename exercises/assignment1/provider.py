"""Faults of the provider: the same script at both of its upstreams, so that it does not matter which one is asked."""

import json
from typing import Any

from chaos.history import History, UpstreamCall
from chaos.llm import ScriptedLLM, Step
from exercises.chat.answer import answering
from lab.lab import Lab

UPSTREAMS = ("openai", "anthropic")


def script(lab: Lab, key: str, *steps: Step) -> None:
    """Set what calls for a prompt meet, at each upstream one after the other; the last step repeats."""
    for name in UPSTREAMS:
        server(lab, name).script(key, *steps)


def server(lab: Lab, name: str) -> ScriptedLLM:
    """Return the scripted model that stands in for a provider."""
    return lab.upstreams.of(ScriptedLLM, name)


def calls(history: History, key: str | None) -> list[UpstreamCall]:
    """Return the calls for a prompt, or all with None, at both upstreams, in the order of arrival."""
    found = [call for name in UPSTREAMS for call in history.calls(name, key=key)]
    return sorted(found, key=lambda one: one.call.t)


def asked_of(history: History, key: str | None) -> dict[str, Any]:
    """Return the body of the first call for a prompt; empty where there was none, or it is no JSON object."""
    found = calls(history, key) if key else []
    if not found:
        return {}
    try:
        body = json.loads(found[0].call.asked)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def reported_usage(history: History, key: str | None) -> tuple[int, int] | None:
    """Return the input and output tokens that the last answer for a prompt reported; None where there was none."""
    answered = answering(calls(history, key)) if key else None
    return answered.reply.usage if answered and answered.reply else None
