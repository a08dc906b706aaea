from pathlib import Path

import pytest

from chaos.history import Answer, Began, Call, Ended, Failure, History, Log, Reply, Request
from chaos.recorder import Recorder
from tests.exam import CONTRACT


def _recorded() -> History:
    recorder = Recorder()
    recorder.record(Began(experiment="hang", seed=3, contract=CONTRACT))
    recorder.record(Request(request=1, label="first", method="POST", path="/llm/generate", key="ref-a"))
    recorder.record(Request(request=2, label="second", method="GET", path="/health"))
    recorder.record(Call(call=1, upstream="litellm", method="POST", path="/v1", connection=1, key="ref-a"))
    recorder.record(
        Call(call=2, upstream="litellm", method="GET", path="/v1/models", connection=1, counted=False)
    )
    recorder.record(Call(call=3, upstream="qdrant", method="GET", path="/collections", connection=2))
    recorder.record(Reply(call=1, outcome="answered", status=200))
    recorder.record(Failure(request=2, error="timeout", elapsed=1.0))
    recorder.record(Answer(request=1, status=200, headers={"a": "b"}, body="täxt\n", elapsed=0.5))
    recorder.record(Ended())
    return recorder.history()


def test_exchanges_join_requests_with_what_came_of_them() -> None:
    first, second = _recorded().exchanges()

    assert (first.request.label, first.status) == ("first", 200)
    assert first.answer is first.end
    assert second.status is None
    assert isinstance(second.end, Failure)


def test_exchanges_can_be_picked_by_label_and_key() -> None:
    history = _recorded()

    assert [one.request.request for one in history.exchanges("second")] == [2]
    assert [one.request.request for one in history.exchanges(key="ref-a")] == [1]
    assert history.exchanges("first", key="ref-b") == []


def test_calls_leave_out_other_upstreams_and_what_does_not_count() -> None:
    history = _recorded()

    [call] = history.calls("litellm")
    assert call.reply
    assert (call.call.call, call.reply.status) == (1, 200)
    [other] = history.calls("qdrant")
    assert other.reply is None


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    history = _recorded()

    history.dump(tmp_path / "hang.jsonl")

    assert History.load(tmp_path / "hang.jsonl").events == history.events


def test_a_call_of_an_old_history_has_no_model_and_no_body(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text(
        '{"t":1,"kind":"call","call":1,"upstream":"litellm","method":"POST","path":"/v1","connection":1}\n'
    )

    [call] = History.load(tmp_path / "old.jsonl").of(Call)
    assert (call.model, call.asked) == (None, "")


def test_a_line_that_is_no_event_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"kind": "nonsense", "t": 1}\n')

    with pytest.raises(ValueError, match="nonsense"):
        History.load(tmp_path / "bad.jsonl")


def test_the_recorder_stamps_events_on_its_clock() -> None:
    now = 100.0
    recorder = Recorder(clock=lambda: now)
    now = 101.5

    assert recorder.record(Ended()).t == 1.5
    assert recorder.now() == 1.5


def test_a_text_that_cannot_be_encoded_is_kept_in_what_can(tmp_path: Path) -> None:
    history = History([Log(stream="stdout", text="half \ud800 of a character")])

    history.dump(tmp_path / "history.jsonl")

    [line] = History.load(tmp_path / "history.jsonl").of(Log)
    assert line.text == "half ? of a character"
