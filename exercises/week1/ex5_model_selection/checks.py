"""The checks of exercise 5."""

from typing import Any

from chaos.history import Answer, Exchange, History
from exercises.chat.answer import json_object
from exercises.week1.ex5_model_selection.experiments import FAST_BELOW
from lab.reading import outcome
from lab.verdict import Verdict, failed, not_judged, passed

REFUSED = 422


def follows_the_rules(selections: History) -> Verdict:
    asked = _asked(selections)
    for one in asked:
        tier, task, budget = one.request.label.split()
        wanted = profile(tier, task, int(budget))
        told = _told(one)
        if told is None:
            return failed(f"a profile and a model for {one.request.label} ms", outcome(one.end), one.end)
        if told[0] != wanted:
            return failed(f"{wanted} for tier {tier}, a {task} task and {budget} ms", f"{told[0]}", one.end)
        if not told[1]:
            return failed(f"a model for {one.request.label} ms", "none is named", one.end)
        if not _reason(one):
            return failed(f"a reason for {one.request.label} ms", "there is none", one.end)
    return passed(f"{len(asked)} combinations have their profile", asked[-1].end)


def profiles_have_their_models(selections: History) -> Verdict:
    models: dict[str, set[str]] = {}
    asked = _asked(selections)
    for one in asked:
        if told := _told(one):
            models.setdefault(told[0], set()).add(told[1])
    if "quality" not in models or "cheap" not in models:
        return not_judged("there are no profiles quality and cheap", asked[-1].end, blame="submission")
    for name, found in models.items():
        if len(found) > 1:
            return failed(
                "one model for each profile", f"{name} has {', '.join(sorted(found))}", asked[-1].end
            )
    if models["quality"] == models["cheap"]:
        return failed(
            "different models for quality and cheap", f"both have {models['cheap'].pop()}", asked[-1].end
        )
    return passed(f"{len(models)} profiles have a model each", asked[-1].end)


def refuses_what_is_unknown(selections: History) -> Verdict:
    unknown = [one for one in selections.exchanges() if one.request.label.startswith("unknown ")]
    for one in unknown:
        if one.status != REFUSED:
            return failed(f"{REFUSED} ({one.request.label})", outcome(one.end), one.end)
    return passed(f"{len(unknown)} requests that make no sense are refused", unknown[-1].end)


def profile(tier: str, task: str, budget: int) -> str:
    """Return the profile by the rules of the page: the first one that holds."""
    if tier == "enterprise":
        return "quality"
    if task == "simple":
        return "cheap"
    return "fast" if budget < FAST_BELOW else "balanced"


def _asked(selections: History) -> list[Exchange]:
    path = selections.contract.endpoints["select"]
    return [
        one
        for one in selections.exchanges()
        if one.request.path == path and not one.request.label.startswith("unknown ")
    ]


def _reason(one: Exchange) -> Any:
    body = json_object(one.end) if isinstance(one.end, Answer) else None
    return (body or {}).get("reason")


def _told(one: Exchange) -> tuple[str, str] | None:
    if not isinstance(one.end, Answer) or one.end.status != 200:
        return None
    body = json_object(one.end)
    return (str(body.get("profile", "")), str(body.get("model") or "")) if body is not None else None
