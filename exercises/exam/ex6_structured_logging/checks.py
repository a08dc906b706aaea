"""The checks of exercise 6. Each judges recorded histories alone; its parameters name the experiments."""

import ast
from collections.abc import Iterable
from pathlib import PurePosixPath

from chaos.contract import Contract
from chaos.history import Answer, Exchange, Failure, File, History, Log, Ready
from exercises.exam.ex6_structured_logging.crosstalk import answered_id, find_mixup, known_id
from exercises.exam.ex6_structured_logging.planted import (
    HEADER,
    HOSTILE,
    HOSTILE_PREFIX,
    SECRETS,
    mark,
    planted_name,
    sent_id,
)
from exercises.exam.ex6_structured_logging.records import WARNING, Record, parse, records, written
from lab.control import LOGIN_LABEL
from lab.reading import error_fields, excerpt, outcome
from lab.secrets_leak import Leaks
from lab.timing import disturbance
from lab.verdict import Verdict, all_of, failed, not_judged, passed

REFUSED_BY_SERVER = {400, 431}
"""What servers answer to a head that they do not accept, before any application sees it."""
NORMAL = ("no-id", "own-id", "me")
AT_EASE = 0.5
"""Seconds within which an answer cannot be what a service warns of as slow."""
SIGNATURE = 20
"""Characters that a token, or the signature of one, has at least."""
LATE = 0.5
"""Seconds after an answer within which its records may still arrive."""
NOT_THE_SERVICE = {"test", "tests", "script", "scripts", "venv", ".venv", "site-packages", "node_modules"}
AROUND_THE_SERVICE = {
    "testing", "tools", "bin", "example", "examples", "demo", "docs", "doc", "notebooks", "benchmark", "benchmarks",
    "migrations", "alembic", "evaluation", "exercises", "grading", "chaos", "env", "build", "dist",
}  # fmt: skip


def every_line_is_json(every_kind: History, fifty_at_once: History) -> Verdict:
    expected = "every line of stdout and stderr after the start is a JSON object"
    lines = [line for history in (every_kind, fifty_at_once) for line in written(history)]
    if not lines:
        return failed(expected, "nothing was written", every_kind.first(Ready))
    if other := [line for line in lines if parse(line) is None]:
        actual = (
            f"{len(other)} of {len(lines)} lines are not, as on {other[0].stream}: {excerpt(other[0].text)}"
        )
        return failed(expected, actual, *other[:3])
    return passed(f"{len(lines)} lines, each a JSON object", lines[-1])


def records_have_fields(every_kind: History, fifty_at_once: History) -> Verdict:
    return all_of([_fields(every_kind), _fields(fifty_at_once), _served_under_ids(every_kind)])


def every_answer_has_id(every_kind: History, fifty_at_once: History) -> Verdict:
    return all_of(_unique_ids(history) for history in (every_kind, fifty_at_once))


def incoming_id_is_kept(every_kind: History) -> Verdict:
    expected = "the request's own X-Request-ID in its answer and in its log records"
    sent = [one for one in every_kind.exchanges() if sent_id(one.request) and isinstance(one.end, Answer)]
    served = [one for one in sent if one.request.label == "own-id" and one.status == 200]
    if not served:
        return not_judged("no request with an id of its own was served", blame="submission")
    lines = written(every_kind)
    for exchange in (*served, *sent):
        own, got = sent_id(exchange.request) or "", answered_id(exchange.end)
        if got != own and (got or exchange in served):
            actual = f"'{own}' was answered with {excerpt(got, 60) if got else 'none'}"
            return failed(expected, actual, exchange.end)
    for exchange in served:
        own = sent_id(exchange.request) or ""
        if not any(own in line.text for line in lines):
            return failed(expected, f"'{own}' is in the answer, and in no log line", exchange.end)
    return passed(f"{len(sent)} ids of the lab's own were kept", served[0].end)


def ids_hold_in_a_crowd(fifty_at_once: History) -> Verdict:
    expected = "of 50 requests at once each has its own id, in its answer and its records"
    found = records(fifty_at_once)
    crowd = [one for one in fifty_at_once.exchanges() if one.request.label.startswith("crowd")]
    sent = {sent_id(one.request): one for one in crowd}
    for exchange in crowd:
        other = sent.get(answered_id(exchange.end), exchange)
        if other is not exchange:
            actual = "an answer has the id of another request"
            return failed(expected, actual, exchange.end, other.request)
    asked = [one for one in crowd if one.request.path == _ask_path(fifty_at_once) and answered_id(one.end)]
    if not asked:
        return not_judged("no answer has an X-Request-ID to look for", blame="submission")
    missing = [one for one in asked if not _has_record(found, one)]
    if missing:
        actual = f"the ids of {len(missing)} of {len(asked)} are in no record"
        return failed(expected, actual, missing[0].end)
    if mixup := find_mixup(fifty_at_once, found):
        return failed(expected, mixup.description, *mixup.evidence)
    retried = sum(len(fifty_at_once.calls(key=one.request.key)) > 1 for one in asked)
    errors = sum((one.status or 0) >= 400 for one in crowd)
    return passed(
        f"{len(crowd)} at once, {retried} retried and {errors} errors, none mixed up", asked[-1].end
    )


def levels_fit(every_kind: History) -> Verdict:
    found = records(every_kind)
    failures = [one for one in every_kind.exchanges() if _is_failure(every_kind, one)]
    if not failures:
        return not_judged("no request failed, though the model's answers were none", blame="submission")
    if not found:
        return failed("records with levels", "no log line is a JSON object", failures[0].end)
    return all_of([*(_failure_is_told(found, one) for one in failures), _normal_is_calm(every_kind, found)])


def secrets_are_not_logged(every_kind: History, fifty_at_once: History) -> Verdict:
    expected = "no password, token or key in any line"
    looked = 0
    for history in (every_kind, fifty_at_once):
        leaks = Leaks([history])
        sent = _sent_secrets(history)
        for line in history.instance().of(Log):
            looked += 1
            if what := next(
                (what for value, what in sent.items() if value in line.text), leaks.find(line.text)
            ):
                return failed(expected, f"{what} is in a line on {line.stream}", line)
    return passed(f"none in {looked} lines")


def hostile_id_does_no_harm(every_kind: History) -> Verdict:
    expected = (
        "a hostile X-Request-ID is replaced or refused, and every line that quotes it is a whole JSON object"
    )
    answers = [
        (kind, one.request, one.end)
        for kind in HOSTILE
        for one in every_kind.exchanges(f"{HOSTILE_PREFIX}{kind}")
        if isinstance(one.end, Answer)
    ]
    for kind, request, answer in answers:
        if request.headers[HEADER] in answer.headers.get(HEADER, ""):
            return failed(expected, f"the id with '{kind}' is echoed as it came", answer)
    ends = [answer for *_, answer in answers]
    if not any(map(answered_id, ends)):
        return not_judged("no answer has an X-Request-ID", *ends[:1], blame="submission")
    for line in written(every_kind):
        for _, request, answer in answers:
            if harm := _harm(line, mark(request.key or "")):
                return failed(expected, f"{harm}: {excerpt(line.text)}", line, answer)
    if not records(every_kind):
        return failed(expected, "no log line is a JSON object", ends[0])
    return passed(f"{len(answers)} hostile ids did no harm", ends[-1])


def nothing_is_printed(source_files: History) -> Verdict:
    files = [file for file in source_files.of(File) if _is_of_the_service(file.path, source_files.contract)]
    if not files:
        return not_judged("no Python file of the service was found", blame="harness")
    for file in files:
        if lines := _prints(file.text):
            more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
            return failed(
                "no call of print in the service's files", f"{file.path}, line {lines[0]}{more}", file
            )
    return passed(f"none in {len(files)} files")


def _fields(history: History) -> Verdict:
    expected = "a timestamp, a level and a message in every record"
    found = records(history)
    if not found:
        return failed(expected, "no log line is a JSON object", *written(history)[:1])
    for record in found:
        if not record.line.cut and (missing := _missing(record)):
            return failed(expected, f"no {missing} in {excerpt(record.line.text)}", record.line)
    return passed(f"{len(found)} records", found[-1].line)


def _missing(record: Record) -> str | None:
    if not record.has_timestamp:
        return "timestamp that can be read"
    if record.severity is None:
        return "level that is known"
    return None if record.has_message else "message"


def _served_under_ids(history: History) -> Verdict:
    """Judge that each request to the model has a record with its id, and each other one that is logged at all."""
    expected = "a record with the request's id for every request that is served"
    found = records(history)
    served = 0
    for exchange in _answered(history):
        wanted = known_id(exchange)
        to_the_model = bool(history.calls(key=exchange.request.key)) and exchange.request.key is not None
        if wanted and _has_record(found, exchange):
            served += to_the_model
        elif to_the_model and not wanted:
            return not_judged(
                "an answer has no X-Request-ID by which its records could be found",
                exchange.end,
                blame="submission",
            )
        elif to_the_model or (wanted and (line := _mention(found, exchange))):
            where = [] if to_the_model else [line]
            actual = f"no record has the id of {exchange.request.label} ({outcome(exchange.end)})"
            return failed(expected, actual, exchange.end, *where)
    return passed(f"{served} requests to the model, each with its id")


def _has_record(found: Iterable[Record], exchange: Exchange) -> bool:
    ids = {known_id(exchange), sent_id(exchange.request)} - {None}
    return any(record.carries(one) for record in found for one in ids if one)


def _mention(found: Iterable[Record], exchange: Exchange) -> Log | None:
    """Return a record that tells of a request by its path; None where none does."""
    key = exchange.request.key
    if not key or key not in exchange.request.path:
        return None
    return next((record.line for record in found if key in record.line.text), None)


def _unique_ids(history: History) -> Verdict:
    expected = "X-Request-ID in every answer, another one for each request"
    seen: dict[str, Exchange] = {}
    for exchange in _answered(history):
        own = answered_id(exchange.end)
        if not own and _is_refused_by_server(exchange):
            continue
        if not own:
            actual = f"none in a {exchange.status} ({exchange.request.label})"
            return failed(expected, actual, exchange.end)
        if own in seen:
            other = seen[own].request.label
            actual = f"'{excerpt(own, 60)}' for two requests ({other}, {exchange.request.label})"
            return failed(expected, actual, exchange.end, seen[own].end)
        seen[own] = exchange
    statuses = ", ".join(map(str, sorted({one.status for one in seen.values() if one.status})))
    return passed(f"{len(seen)} answers ({statuses}), each with its own")


def _answered(history: History) -> list[Exchange]:
    """Return the requests since the start that were answered."""
    ready = history.first(Ready)
    return [one for one in history.exchanges() if ready and one.answer and one.request.t >= ready.t]


def _is_refused_by_server(exchange: Exchange) -> bool:
    hostile = exchange.request.label.startswith(HOSTILE_PREFIX)
    return hostile and exchange.status in REFUSED_BY_SERVER


def _is_failure(history: History, exchange: Exchange) -> bool:
    end = exchange.end
    if isinstance(end, Failure):
        return exchange.request.path == _ask_path(history) and end.error == "timeout"
    return isinstance(end, Answer) and end.status >= 500


def _failure_is_told(found: list[Record], exchange: Exchange) -> Verdict:
    expected = "a record of WARNING or above with its id for every request that failed"
    end = exchange.end
    fields = error_fields(end) if isinstance(end, Answer) else {}
    ids = [answered_id(end), sent_id(exchange.request), str(fields.get("incident_id") or "")]
    own = [record for record in found if any(one and one in record.line.text for one in ids)]
    if not answered_id(end) and not own:
        # Without an id all that ties a record to its request is the time.
        until = end.t + LATE if end else float("inf")
        own = [record for record in found if exchange.request.t <= record.line.t <= until]
    if loud := [record for record in own if record.line.cut or (record.severity or 0) >= WARNING]:
        return passed(f"{exchange.request.label}: {outcome(end)}, told", loud[0].line)
    told = f"only lower ones, as {excerpt(own[0].line.text)}" if own else "none"
    return failed(
        expected,
        f"{told} for {exchange.request.label} ({outcome(end)})",
        end,
        *[record.line for record in own[:1]],
    )


def _normal_is_calm(history: History, found: list[Record]) -> Verdict:
    """Judge that what went well is not told as a warning.

    A request to the model may meet something worth one, such as a cache that is not there, and go well nevertheless:
    then it has calmer records too, and those that tell its success are among them.
    """
    expected = "no record of WARNING or above for what went well"
    normal = _normal(history)
    for exchange in normal:
        own = [record for record in found if not record.line.cut and record.carries(known_id(exchange) or "")]
        loud = [record for record in own if (record.severity or 0) >= WARNING]
        touches_nothing = exchange.request.label == "me"
        wrong = [record for record in loud if record.tells_success] or (
            loud if touches_nothing or len(loud) == len(own) else []
        )
        if wrong:
            actual = f"{exchange.request.label} ({outcome(exchange.end)}): {excerpt(wrong[0].line.text)}"
            return failed(expected, actual, wrong[0].line, exchange.end)
    for label in NORMAL:
        if not any(one.request.label == label for one in normal) and (late := _disturbed(history, label)):
            return not_judged(
                "the machine was too busy for a request that is not slow", late, blame="machine"
            )
    return passed("none for normal requests")


def _disturbed(history: History, label: str) -> Answer | Failure | None:
    """Return the end of a request that was under way while the lab itself stood still; None where none was."""
    return next((one.end for one in history.exchanges(label) if disturbance(history, one)), None)


def _normal(history: History) -> list[Exchange]:
    """Return the requests that went well at the first attempt, and without a delay that might be worth a warning."""
    return [
        one
        for label in NORMAL
        for one in history.exchanges(label)
        if one.answer
        and one.status == 200
        and known_id(one)
        and one.answer.elapsed < AT_EASE
        and len(history.calls(key=one.request.key)) <= 1
    ]


def _sent_secrets(history: History) -> dict[str, str]:
    """Return the tokens that the service issued and the secrets that were sent to it, with what they are."""
    found: dict[str, str] = {}
    for exchange in history.exchanges():
        if exchange.request.label == LOGIN_LABEL and exchange.answer:
            token = str(error_fields(exchange.answer).get("access_token") or "")
            signature = token.rpartition(".")[2]
            found |= {part: "a token that it issued" for part in (token, signature) if len(part) >= SIGNATURE}
        if (key := exchange.request.key) and (secret := SECRETS.get(exchange.request.label)):
            what, value_for = secret
            found[value_for(key)] = what
    return found


def _harm(line: Log, marked: str) -> str | None:
    """Return what the hostile id that is marked so has done to a line; None for nothing."""
    if marked not in line.text:
        return None
    record = parse(line)
    if record is None:
        return "it stands in a line that is no JSON object"
    if any(planted_name(marked) in name for name in record.names):
        return "a quote in it has ended its string and added a field"
    return None


def _is_of_the_service(path: str, contract: Contract) -> bool:
    home = contract.start.main.parent.parts
    *folders, name = PurePosixPath(path).parts
    inside = tuple(folders[: len(home)]) == home
    others = NOT_THE_SERVICE if inside else NOT_THE_SERVICE | AROUND_THE_SERVICE
    is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return name.endswith(".py") and not is_test and others.isdisjoint(folders)


def _prints(source: str) -> list[int]:
    """Return the lines of all calls of `print`, but for those of a module that is run as a program by itself."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    tree.body = [node for node in tree.body if not _is_main_guard(node)]
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _ask_path(history: History) -> str:
    ask = history.contract.ask
    return ask.path if ask else ""
