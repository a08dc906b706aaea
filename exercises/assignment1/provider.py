"""Faults of the provider: the same script at both of its upstreams, so that it does not matter which one is asked."""

from chaos.history import History, UpstreamCall
from chaos.llm import ScriptedLLM, Step
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
