"""What a failure leaves for a student to go on: a command that can be typed, and the log around the moment."""

import shlex

import pytest

from chaos.history import Answer, Call, Event, Exited, Failure, History, Log, Request
from grading.clues import MOST_LINES, Clues, curl, look_for_clues
from lab.verdict import failed


def request(
    body: str = "", *, size: int | None = None, source: str = "127.0.0.5", number: int = 1
) -> Request:
    return Request(
        t=10,
        request=number,
        label="x",
        method="POST" if body else "GET",
        path="/llm/generate?a=b&c=d",
        source=source,
        body=body,
        body_bytes=len(body.encode()) if size is None else size,
        headers={"content-type": "application/json"} if body else {},
        authorized=bool(body),
    )


def test_a_request_is_a_command_for_a_shell_whatever_it_holds() -> None:
    body = """{"prompt": "it's $(touch /tmp/x) `id` \\u0000"}"""

    words = shlex.split(curl(request(body)))

    assert words == [
        "curl",
        "-i",
        "-X",
        "POST",
        "http://127.0.0.1:8000/llm/generate?a=b&c=d",
        "-H",
        "content-type: application/json",
        "-H",
        "Authorization: Bearer $TOKEN",
        "--data-raw",
        body,
    ]
    assert '"Authorization: Bearer $TOKEN"' in curl(request(body))


def test_a_request_without_a_body_is_a_short_command() -> None:
    assert curl(request()) == "curl -i 'http://127.0.0.1:8000/llm/generate?a=b&c=d'"


@pytest.mark.parametrize(
    "sent",
    [
        request("{", size=1_200_000),
        request("x" * 2000),
        request("", size=191),
        request("two\nlines"),
        request("\ufffd", size=1),
    ],
    ids=["cut", "long", "not recorded", "two lines", "no text"],
)
def test_a_body_that_does_not_fit_gives_no_command_rather_than_a_wrong_one(sent: Request) -> None:
    assert curl(sent) == ""


def clues(*events: Event, evidence: Event) -> Clues:
    return look_for_clues(failed("a", "b", evidence), [History([]), History(events)])


def log(t: float, text: str, instance: str = "service") -> Log:
    return Log(t=t, stream="stdout", text=text, instance=instance)


def answer(t: float, number: int = 1, request_id: str = "") -> Answer:
    headers = {"x-request-id": request_id} if request_id else {}
    return Answer(t=t, request=number, status=500, headers=headers, body="", elapsed=1)


def test_the_log_is_that_of_the_request_and_right_after_it() -> None:
    end = answer(20)
    lines = [log(9, "before"), *(log(11 + place, f"line {place}") for place in range(8))]

    found = clues(*lines, request(), end, log(20.1, "after"), log(21, "late"), evidence=end)

    assert found.log == ("line 4", "line 5", "line 6", "line 7", "after")
    assert len(found.log) == MOST_LINES
    assert found.request.startswith("curl ")


@pytest.mark.parametrize(
    ("mine", "another", "upstream"),
    [
        ("127.0.0.5", "127.0.0.6", "127.0.0.1"),
        pytest.param("10.213.255.254", "10.213.255.253", "10.213.0.1", id="in the sandbox"),
    ],
)
def test_lines_about_other_requests_are_left_out(mine: str, another: str, upstream: str) -> None:
    end = answer(20)
    lines = [
        log(12, f'{mine}:1 - "GET /mine"'),
        log(13, f'{another}:2 - "GET /another"'),
        log(14, f"{upstream}:80"),
    ]

    found = clues(request(source=mine), request(source=another, number=2), *lines, end, evidence=end)

    assert found.log == (f'{mine}:1 - "GET /mine"', f"{upstream}:80")


def test_lines_with_the_ids_of_other_requests_are_left_out() -> None:
    end = answer(20, request_id="6f1c2a0e-mine")
    others = [answer(15, 2, "6f1c2a0e-another"), answer(15, 3, "1")]
    lines = [
        log(12, '{"request_id": "6f1c2a0e-another", "message": "generated"}'),
        log(13, '{"request_id": "6f1c2a0e-mine", "message": "failed 1 time"}'),
        log(14, '{"request_id": null, "message": "the cache is 1 day old"}'),
        log(20.2, '{"request_id": "6f1c2a0e-mine", "message": "access"}'),
    ]

    next_one = request(number=4).model_copy(update={"t": 20.05})
    found = clues(request(), request(number=2), *others, *lines[:3], end, next_one, lines[3], evidence=end)

    assert found.log == tuple(line.text for line in lines[1:])


def test_lines_of_what_came_after_a_request_do_not_crowd_out_its_own() -> None:
    sent = request().model_copy(update={"key": "ref-1"})
    call = Call(t=12, call=1, upstream="litellm", method="POST", path="/", connection=1, key="ref-1")
    later = request(source="127.0.0.6", number=2).model_copy(update={"t": 12.2})
    mine = [log(12.05, "refused"), answer(12.1), log(12.3, '127.0.0.5:1 - "POST /" 500')]
    others = [log(12.4, f"another {number}") for number in range(MOST_LINES)]

    found = clues(sent, call, *mine[:2], later, mine[2], *others, evidence=call)

    assert found.log == ("refused", '127.0.0.5:1 - "POST /" 500')


def test_a_traceback_after_the_answer_belongs_to_the_request() -> None:
    later = request(source="127.0.0.6", number=2).model_copy(update={"t": 12.101})
    end = answer(12.1)

    found = clues(request(), end, later, log(12.106, "KeyError: 'sub'"), evidence=end)

    assert found.log == ("KeyError: 'sub'",)


def test_before_an_exit_the_log_is_that_of_the_instance() -> None:
    end = Exited(t=20, instance="second", code=1)

    found = clues(log(1, "one"), log(2, "two", "second"), end, evidence=end)

    assert found == Clues("", ("two",))


def test_a_failure_without_an_answer_has_its_request_too() -> None:
    end = Failure(t=20, request=1, error="timeout", elapsed=10)

    assert clues(request("{}"), end, evidence=end).request.endswith("--data-raw '{}'")


def test_a_call_to_an_upstream_leads_to_the_request_that_made_it() -> None:
    sent = request().model_copy(update={"key": "ref-1"})
    call = Call(t=12, call=1, upstream="litellm", method="POST", path="/", connection=1, key="ref-1")

    found = clues(log(9, "before"), sent, log(11, "mine"), call, evidence=call)

    assert found == Clues(curl(sent), ("mine",))


def test_a_line_of_the_log_is_evidence_enough() -> None:
    line = log(1, "line")

    assert clues(line, evidence=line) == Clues()


def test_hostile_lines_are_cleaned_and_cut() -> None:
    end = answer(20)

    [line] = clues(request(), log(11, "\x1b[31m\u202e" + "x" * 10_000), end, evidence=end).log

    assert len(line) <= 160
    assert not set(line) & set("\x1b\u202e")


def test_evidence_that_no_history_holds_is_no_clue() -> None:
    assert look_for_clues(failed("a", "b", answer(1)), []) == Clues()
