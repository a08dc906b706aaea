"""The checks of exercise 2."""

import re
from collections import Counter

from chaos.history import Answer, Exchange, History, Log
from exercises.chat import id_checks
from exercises.chat.request_id import request_id
from lab.reading import excerpt, outcome
from lab.verdict import Verdict, all_of, failed, passed

SPREAD = 2
"""Requests that are alike leave about as many lines each: so many times as many as another at most."""


def every_response_has_one(ids: History) -> Verdict:
    return id_checks.present(ids)


def sane_ids_are_kept(ids: History) -> Verdict:
    return id_checks.kept(ids)


def others_are_new_and_unique(ids: History) -> Verdict:
    return all_of([id_checks.replaced(ids), id_checks.unique(ids)])


def log_lines_have_it(ids: History) -> Verdict:
    chats = ids.exchanges("chat")
    for one in chats:
        if one.status != 200:
            return failed("an answer to each chat request", outcome(one.end), one.end)
    known = {_id(one) for one in [*chats, *ids.exchanges("failing")]}
    told = [
        (line, [one for one in known if one and _is_in(one, line.text)]) for line in ids.instance().of(Log)
    ]
    lines = Counter(one for _, found in told for one in found)
    for one in [*chats, *ids.exchanges("failing")]:
        if not lines[_id(one)]:
            lack = "no line has it" if _id(one) else "the answer has no id"
            return failed(f"a log line with the request's id {excerpt(_id(one), 40)!r}", lack, one.end)
    for line, both in told:
        if len(both) > 1:
            return failed("lines with the id of one request", "a line has the ids of two", line)
    counts = [lines[_id(one)] for one in chats]
    if max(counts) > SPREAD * min(counts) + 1:
        most = chats[counts.index(max(counts))]
        expected = "about as many lines with each id, for requests that are alike"
        return failed(expected, f"one id is in {max(counts)} lines, another one in {min(counts)}", most.end)
    return passed(f"{min(counts)} lines and more with the id of each of {len(known)} requests", chats[0].end)


def _is_in(own: str, text: str) -> bool:
    """Whether a text has an id as a word of its own: a plain number may be a part of an address."""
    return re.search(rf"(?<![\w.]){re.escape(own)}(?![\w.])", text) is not None


def _id(exchange: Exchange) -> str:
    return request_id(exchange.end) if isinstance(exchange.end, Answer) else ""
