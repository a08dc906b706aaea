"""What health reports must not hold."""

import json
import re
from collections.abc import Iterator, Sequence

from chaos.contract import field
from chaos.history import Answer, History
from exercises.exam.ex5_health_checks.readiness import NAMES
from lab.control import LOGIN_LABEL
from lab.flags import flags
from lab.secrets_leak import Leaks
from lab.verdict import Verdict, failed, not_judged, passed

_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")


def no_secrets(histories: Sequence[History]) -> Verdict:
    """Judge that no report, in its body or its headers, holds a secret of the service's or a token."""
    expected = "no secret or token in a health report"
    leaks = Leaks(histories)
    tokens = {token for history in histories for token in _tokens(history)}
    reports = [report for history in histories for report in _reports(history)]
    for report in reports:
        for place, text in (("", report.body), (" in a header", "\n".join(report.headers.values()))):
            if name := leaks.find(text):
                return failed(expected, f"{name} appears in a {report.status} answer{place}", report)
            if _TOKEN.search(text) or any(token in text for token in tokens):
                return failed(expected, f"a token appears in a {report.status} answer{place}", report)
    if not any(flag is not None for report in reports for flag in flags(report.body, NAMES).values()):
        return not_judged("there is no readiness report", blame="submission")
    return passed(f"none in {len(reports)} reports")


def _reports(history: History) -> Iterator[Answer]:
    paths = {history.contract.endpoints[name] for name in ("alive", "readiness")}
    for one in history.exchanges():
        if one.request.path.partition("?")[0] in paths and isinstance(one.end, Answer):
            yield one.end


def _tokens(history: History) -> Iterator[str]:
    """Yield the tokens that the lab was given: some are no JWT."""
    login = history.contract.login
    for one in history.exchanges(LOGIN_LABEL):
        if login and isinstance(one.end, Answer) and one.end.status == 200:
            try:
                token = str(field(json.loads(one.end.body), login.token) or "")
            except (ValueError, RecursionError):
                continue
            if len(token) >= 8:
                yield token
