from collections.abc import AsyncIterator

import pytest

from api.utils.event_stream import EventTooLongError, event_data, split_events

STREAM = b'data: {"a": 1}\n\n: a comment\r\n\r\nevent: x\rdata: one\rdata:two\r\rdata: [DONE]\n\n'
EVENTS = [
    b'data: {"a": 1}\n\n',
    b": a comment\r\n\r\n",
    b"event: x\rdata: one\rdata:two\r\r",
    b"data: [DONE]\n\n",
]


async def pieces(stream: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_events_are_found_however_they_arrive(size: int) -> None:
    assert [event async for event in split_events(pieces(STREAM, size), longest=100)] == EVENTS


async def test_an_event_without_an_end_is_left_out() -> None:
    assert [event async for event in split_events(pieces(b"data: 1\n\ndata: 2", 3), longest=100)] == [
        b"data: 1\n\n"
    ]


async def test_an_event_is_bounded() -> None:
    with pytest.raises(EventTooLongError):
        async for _ in split_events(pieces(b"x" * 200, 10), longest=100):
            pass


def test_what_an_event_says() -> None:
    assert [event_data(event) for event in EVENTS] == [b'{"a": 1}', None, b"one\ntwo", b"[DONE]"]
