"""Judges log lines: JSON, with the ids of their requests, and without secrets."""

from typing import Any

from chaos.history import Answer, Exchange, History, Log, Ready
from exercises.project61.part3_monitoring.axes import CALLERS
from exercises.project61.part3_monitoring.counted import worked
from lab.control import LOGIN_LABEL
from lab.reading import as_json, excerpt
from lab.secrets_leak import Leaks
from lab.verdict import Verdict, failed, passed

ID_HEADER = "x-request-id"
JSON_SHARE = 0.95
"""A server or a library may have a line of its own."""
_SHORTEST_SECRET = 16


def logs_have_ids(traffic: History) -> Verdict:
    ready = traffic.first(Ready)
    lines = [line for line in traffic.instance().of(Log) if not line.cut and (not ready or line.t > ready.t)]
    others = [line for line in lines if not isinstance(as_json(line.text), dict)]
    if not lines or len(others) > (1 - JSON_SHARE) * len(lines):
        shown = (
            f"{len(others)} of {len(lines)} lines are none, such as {excerpt(others[0].text, 80)}"
            if others
            else "there are no lines"
        )
        return failed("log lines that are JSON objects", shown, *others[:1])
    secrets = _Secrets(traffic)
    for line in traffic.of(Log):
        if secret := secrets.find(line.text):
            return failed("no secret in log lines", f"{secret} stands in one", line)
    text = "\n".join(line.text for line in lines)
    asked = [*worked(traffic), *(one for name in CALLERS.values for one in traffic.exchanges(f"by {name}"))]
    for one in asked:
        if isinstance(one.end, Answer) and (missing := _without_id(one, text)):
            return failed(
                "the id of an answer's X-Request-ID in the log lines of its request", missing, one.end
            )
    return passed(f"{len(asked)} requests have their ids in JSON lines", lines[-1])


def _without_id(asked: Exchange, text: str) -> str:
    """Say what an answer lacks; empty if its id stands in a log line."""
    assert isinstance(asked.end, Answer)
    headers = {name.lower(): value for name, value in asked.end.headers.items()}
    request_id = headers.get(ID_HEADER, "")
    if not request_id:
        return f"the {asked.end.status} has no X-Request-ID ({asked.request.label})"
    return "" if request_id in text else f"no line has {excerpt(request_id, 40)} ({asked.request.label})"


class _Secrets:
    """The secrets of the environment, and the tokens and keys that the service has given out."""

    def __init__(self, traffic: History) -> None:
        self._leaks = Leaks([traffic])
        login = traffic.contract.login
        fields = {LOGIN_LABEL: login.token if login else "", "key": "key"}
        self._given_out = {
            value: f"{'an' if field[0] in 'aeiou' else 'a'} {field}"
            for label, field in fields.items()
            for one in traffic.exchanges(label)
            if isinstance(value := _field(one, field), str) and len(value) >= _SHORTEST_SECRET
        }

    def find(self, text: str) -> str:
        """Say which secret a line shows; empty if none."""
        return self._leaks.find(text) or next(
            (what for value, what in self._given_out.items() if value in text), ""
        )


def _field(asked: Exchange, name: str) -> Any:
    body = as_json(asked.end.body) if isinstance(asked.end, Answer) else None
    return body.get(name) if isinstance(body, dict) else None
