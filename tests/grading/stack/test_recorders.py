from io import StringIO

from chaos.history import Call, Connection, Log, Reply
from grading.stack import recorders


def test_output_is_written_as_it_was_printed() -> None:
    file = StringIO()
    recorder = recorders.output(file)

    recorder.record(Log(stream="stdout", text='{"message": "hello"}'))
    recorder.record(Log(stream="stderr", text="oops"))
    recorder.record(Connection(upstream="litellm", connection=1, state="opened"))

    assert file.getvalue() == '{"message": "hello"}\noops\n'


def test_calls_have_a_line_when_they_come_and_one_when_they_end() -> None:
    file = StringIO()
    recorder = recorders.calls(file)

    recorder.record(
        Call(call=1, upstream="litellm", method="POST", path="/v1/chat/completions", connection=1)
    )
    recorder.record(Reply(call=1, outcome="answered", status=200))
    recorder.record(Call(call=2, upstream="mlflow", method="POST", path="/v1/traces", connection=2))
    recorder.record(Reply(call=2, outcome="client-gone"))

    lines = [line.split(maxsplit=1)[1] for line in file.getvalue().splitlines()]
    assert lines == [
        "litellm call 1: POST /v1/chat/completions",
        "litellm call 1: answered 200",
        "mlflow  call 2: POST /v1/traces",
        "mlflow  call 2: client-gone",
    ]


def test_health_probes_are_left_out() -> None:
    file = StringIO()
    recorder = recorders.calls(file)

    recorder.record(
        Call(call=1, upstream="qdrant", method="GET", path="/readyz", connection=1, counted=False)
    )
    recorder.record(Reply(call=1, outcome="answered", status=200))

    assert file.getvalue() == ""


def test_a_recorder_stamps_events_and_keeps_none() -> None:
    recorder = recorders.output(StringIO())

    kept = recorder.record(Log(stream="stdout", text="hello"))

    assert kept.t > 0
    assert list(recorder.history().events) == []
