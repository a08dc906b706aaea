"""The checks of exercise 6. Each judges recorded histories alone; its parameters name the experiments.

What has to hold whatever happens is judged on the histories of the whole run, for every exercise breaks other things.
"""

from collections.abc import Sequence
from itertools import chain

from chaos.history import Answer, Exchange, File, HarnessFault, History, Launched, Log, Ready
from exercises.exam.ex6_structured_logging import fields, levels
from exercises.exam.ex6_structured_logging.crosstalk import find_mixup
from exercises.exam.ex6_structured_logging.ids import (
    answered_id,
    echo,
    harm,
    has_to_be_kept,
    is_same,
    shared_ids,
    unique_ids,
)
from exercises.exam.ex6_structured_logging.leaks import finder, place
from exercises.exam.ex6_structured_logging.planted import HOSTILE_PREFIX, mark, sent_id
from exercises.exam.ex6_structured_logging.prints import service_files
from exercises.exam.ex6_structured_logging.records import parse, records, written
from exercises.exam.ex6_structured_logging.starting import configured
from lab.control import interrupted
from lab.reading import excerpt
from lab.verdict import Verdict, all_of, failed, not_judged, passed


def every_line_is_json(every_kind: History, fifty_at_once: History, run: Sequence[History]) -> Verdict:
    expected = "every line of stdout and stderr after the start is a JSON object"
    histories = _judged(every_kind, fifty_at_once, *run)
    lines = [line for history in histories for line in written(history)]
    if not lines:
        return failed(expected, "nothing was written", every_kind.first(Ready))
    read = {id(record.line) for history in histories for record in records(history)}
    if other := [line for line in lines if id(line) not in read]:
        actual = (
            f"{len(other)} of {len(lines)} lines are not; one on {other[0].stream}: {excerpt(other[0].text)}"
        )
        return failed(expected, actual, *other[:3])
    return passed(f"{len(lines)} lines, each a JSON object", lines[-1])


def records_have_fields(every_kind: History, fifty_at_once: History, run: Sequence[History]) -> Verdict:
    own = (every_kind, fifty_at_once)
    others = [history for history in _judged(*run) if history not in own and records(history)]
    elsewhere = [verdict for verdict in map(fields.complete, others) if not verdict.passed]
    return all_of(
        [
            *map(fields.complete, own),
            *elsewhere,
            fields.told_in_time(every_kind),
            fields.served_under_ids(every_kind),
        ]
    )


def every_answer_has_id(every_kind: History, fifty_at_once: History, run: Sequence[History]) -> Verdict:
    histories = _judged(every_kind, fifty_at_once, *run)
    own, *others = map(unique_ids, histories)
    bad = [one for one in (*others, shared_ids(histories)) if not one.passed]
    return bad[0] if bad and own.passed else own


def incoming_id_is_kept(every_kind: History, fifty_at_once: History) -> Verdict:
    if not any(_is_served(one) for one in every_kind.exchanges("own-id")):
        return not_judged("no request with an id of its own was served", blame="submission")
    return all_of(map(_kept, (every_kind, fifty_at_once)))


def ids_hold_in_a_crowd(fifty_at_once: History) -> Verdict:
    expected = "of 50 requests at once each has its own id, in its answer and its records"
    found = records(fifty_at_once)
    crowd = [one for one in fifty_at_once.exchanges() if one.request.label.startswith("crowd")]
    sent = {own: one for one in crowd if (own := sent_id(one.request))}
    for exchange in crowd:
        other = sent.get(answered_id(exchange.end) or "", exchange)
        if other is not exchange:
            actual = "an answer has the id of another request"
            return failed(expected, actual, exchange.end, other.request)
    ask = fifty_at_once.contract.ask
    asked = [one for one in crowd if ask and one.request.path == ask.path and answered_id(one.end)]
    if not asked:
        return not_judged("no answer has an X-Request-ID to look for", blame="submission")
    carried = fields.carried(fifty_at_once)
    missing = [one for one in asked if not fields.has_record(carried, one)]
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


def levels_fit(every_kind: History, fifty_at_once: History, run: Sequence[History]) -> Verdict:
    own = (every_kind, fifty_at_once)
    of_own = {history: levels.failures(history, elsewhere=False) for history in own}
    if not any(of_own.values()):
        return not_judged("no request failed, although the model's answers were unusable", blame="submission")
    if not records(every_kind):
        ends = [one.end for failures in of_own.values() for one in failures]
        return failed("records with levels", "no log line is a JSON object", *ends[:1])
    others = {
        history: levels.failures(history, elsewhere=True)
        for history in _judged(*run)
        if history not in own and records(history)
    }
    every = of_own | others
    normal = {history: levels.normal(history) for history in every}
    pace = levels.usual_pace(chain.from_iterable(normal.values()))
    # A service has one scale of levels: all of it has to fit on the same.
    verdicts = [
        all_of(
            levels.judge(history, failures, normal[history], level, pace=pace)
            for history, failures in every.items()
        )
        for level in levels.SCALES
    ]
    verdict = next((one for one in verdicts if one.passed), verdicts[0])
    if not verdict.passed:
        return verdict
    if not normal[every_kind] and levels.is_disturbed(every_kind):
        return not_judged("the machine was too busy for a request that is not slow", blame="machine")
    told = sum(map(len, every.values()))
    calm = sum(map(len, normal.values()))
    return passed(
        f"{told} failures logged as WARNING or above, {calm} normal requests without a warning",
        *verdict.evidence[:1],
    )


def secrets_are_not_logged(every_kind: History, fifty_at_once: History, run: Sequence[History]) -> Verdict:
    expected = "no password, token or key in any line"
    looked = 0
    for history in dict.fromkeys((every_kind, fifty_at_once, *_judged(*run))):
        find = finder(history)
        for line in history.instance().of(Log):
            looked += 1
            if what := find(line.text):
                record = parse(line)
                field = place(record.fields, find) if record else None
                where = f"in the field {excerpt(field, 80)} of a line" if field else "in a line"
                return failed(expected, f"{what} is {where} on {line.stream}", line)
    return passed(f"none in {looked} lines")


def hostile_id_does_no_harm(every_kind: History) -> Verdict:
    expected = (
        "a hostile X-Request-ID is replaced or refused, and every line that quotes it is a whole JSON object"
    )
    hostile = [
        one for one in every_kind.exchanges() if one.request.label.startswith(HOSTILE_PREFIX) and one.answer
    ]
    for exchange in hostile:
        if found := echo(exchange):
            where, answer = found
            what = f"{exchange.request.label.removeprefix(HOSTILE_PREFIX)} ({exchange.status})"
            return failed(expected, f"the id with {what} came back in {where}", answer)
    ends = [one.end for one in hostile]
    if not any(map(answered_id, ends)):
        return not_judged("no answer has an X-Request-ID", *ends[:1], blame="submission")
    marks = {mark(one.request.key or ""): one.end for one in hostile}
    for line in written(every_kind):
        record = parse(line)
        for marked, end in marks.items():
            if done := harm(line, record, marked):
                return failed(expected, f"{done}: {excerpt(line.text)}", line, end)
    if not records(every_kind):
        return failed(expected, "no log line is a JSON object", ends[0])
    return passed(f"{len(hostile)} hostile ids did no harm", ends[-1])


def nothing_is_printed(source_files: History, run: Sequence[History]) -> Verdict:
    launched = (history.instance().first(Launched) for history in run)
    commands = [one.command for one in launched if one] or [configured(source_files.file("pyproject.toml"))]
    files = service_files(source_files.of(File), source_files.contract, commands)
    if not files:
        return not_judged("no Python file of the service was found", blame="harness")
    for file, lines in files:
        if lines:
            more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
            return failed(
                "no use of print in the service's files", f"{file.path}, line {lines[0]}{more}", file
            )
    return passed(f"none in {len(files)} files")


def _judged(*histories: History) -> list[History]:
    """Return each history once that tells of a service that started, and that the lab has kept to its end."""
    return [
        history
        for history in dict.fromkeys(histories)
        if history.instance().first(Ready) and not history.first(HarnessFault) and not interrupted(history)
    ]


def _is_served(exchange: Exchange) -> bool:
    return exchange.status == 200


def _kept(history: History) -> Verdict:
    expected = "the request's own X-Request-ID in its answer and in its log records"
    reached = {call.call.key for call in history.calls()}
    carried = fields.carried(history)
    sent = [
        (one, own)
        for one in history.exchanges()
        if (own := has_to_be_kept(one)) and isinstance(one.end, Answer)
    ]
    for exchange, own in sent:
        got = answered_id(exchange.end)
        # An answer without any id is for the criterion on that, unless the model was asked.
        if not is_same(own, got) and (got or (_is_served(exchange) and exchange.request.key in reached)):
            actual = f"'{own}' was answered with {excerpt(got, 60) if got else 'none'}"
            return failed(expected, f"{actual} ({exchange.request.label})", exchange.end)
    for exchange, own in sent:
        if exchange.request.key in reached and not carried & {own, own.lower()}:
            return failed(expected, f"'{own}' is in no record ({exchange.request.label})", exchange.end)
    return passed(f"{len(sent)} ids of callers were kept", *[one.end for one, _ in sent[:1]])
