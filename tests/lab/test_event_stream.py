import pytest

from lab.event_stream import DONE, Event, events, typed_events


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", []),
        ("data: one\n\ndata:two\n\n", ["one", "two"]),
        ("data: one\r\n\r\ndata: [DONE]\r\n\r\n", ["one", DONE]),
        ("\ufeffdata: one\n\ndata: two\n\n", ["one", "two"]),
        ("data: one\rdata: two\r\rdata: three\r\r", ["one\ntwo", "three"]),
        (": a comment\n\nevent: x\ndata: one\ndata: two\nid: 7\n\n", ["one\ntwo"]),
        ("data: a last one without an end", ["a last one without an end"]),
    ],
)
def test_events_are_read(body: str, found: list[str]) -> None:
    assert events(body) == found


def test_events_have_a_type() -> None:
    assert typed_events("event: error\ndata: {}\n\nevent: empty\n\ndata: one\n\n") == [
        Event("{}", "error"),
        Event("one", "message"),
    ]
