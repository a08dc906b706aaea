import asyncio
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.services import tracing
from api.services.mlflow_exporter import encode
from api.services.tracing import Trace, Tracer, TraceRejectedError


class Mlflow:
    def __init__(self) -> None:
        self.down: Exception | None = None
        self.hangs = False
        self.attempts = 0
        self.prompts: list[str] = []
        self.arrived = asyncio.Condition()

    async def send(self, traces: Sequence[Trace]) -> None:
        self.attempts += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise self.down
        async with self.arrived:
            self.prompts += [trace.prompt for trace in traces]
            self.arrived.notify_all()

    async def wait_for(self, prompt: str) -> None:
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: prompt in self.prompts)


def trace(prompt: str = "Hello?") -> Trace:
    return Trace(request_id="r1", user="admin", model="m", prompt=prompt, response="Hi.", total_tokens=3)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kept(path: Path) -> list[str]:
    return [line["prompt"] for line in lines(path)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "traces.jsonl"


async def test_sends_in_the_background(path: Path) -> None:
    mlflow = Mlflow()
    tracer = Tracer(mlflow.send, fallback=path)
    tracer.start()
    tracer.record(trace())
    await mlflow.wait_for("Hello?")
    await tracer.close()
    assert kept(path) == []


async def test_close_delivers_what_is_pending(path: Path) -> None:
    mlflow = Mlflow()
    tracer = Tracer(mlflow.send, fallback=path)
    tracer.start()
    for number in range(50):
        tracer.record(trace(str(number)))
    await tracer.close()
    assert mlflow.prompts == [str(number) for number in range(50)]


async def test_what_mlflow_does_not_take_is_kept_in_full(path: Path) -> None:
    mlflow = Mlflow()
    mlflow.down = ConnectionRefusedError()
    tracer = Tracer(mlflow.send, fallback=path)
    tracer.start()
    for number in range(50):
        tracer.record(trace(str(number)))
    await tracer.close()
    assert sorted(map(int, kept(path))) == list(range(50))
    assert mlflow.attempts == 1, "a server that is down is left alone"
    line = lines(path)[0]
    assert line["response"] == "Hi."
    assert line["request_id"] == "r1"
    assert line["latency"] >= 0
    assert mode(path) == 0o600


async def test_a_hanging_mlflow_delays_the_end_by_one_attempt(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "SEND_TIMEOUT", 0.05)
    mlflow = Mlflow()
    mlflow.hangs = True
    tracer = Tracer(mlflow.send, fallback=path)
    tracer.start()
    for number in range(100):
        tracer.record(trace(str(number)))
    async with asyncio.timeout(5):
        await tracer.close()
    assert len(kept(path)) == 100
    assert mlflow.attempts == 1


async def test_sends_again_once_mlflow_is_back(path: Path) -> None:
    mlflow = Mlflow()
    mlflow.down = ConnectionRefusedError()
    tracer = Tracer(mlflow.send, fallback=path, rest_after_failure=0.01)
    tracer.start()
    tracer.record(trace("early"))
    while not kept(path):
        await asyncio.sleep(0.01)
    mlflow.down = None
    await mlflow.wait_for("early")
    await tracer.close()
    assert kept(path) == ["early"], "the file is a journal, and never rewritten"


async def test_a_file_that_is_slower_than_the_rest_keeps_no_trace_from_being_sent_again(path: Path) -> None:
    mlflow = Mlflow()
    mlflow.down = ConnectionRefusedError()
    tracer = Tracer(mlflow.send, fallback=path, rest_after_failure=0)
    tracer.start()
    tracer.record(trace("early"))
    while not kept(path):
        await asyncio.sleep(0.01)
    mlflow.down = None
    tracer.record(trace("late"))
    await mlflow.wait_for("early")
    await tracer.close()


async def test_a_rejected_trace_is_kept_and_does_not_block_the_others(path: Path) -> None:
    mlflow = Mlflow()
    mlflow.down = TraceRejectedError("mlflow answered 400")
    tracer = Tracer(mlflow.send, fallback=path)
    tracer.start()
    tracer.record(trace("poison"))
    while not kept(path):
        await asyncio.sleep(0.01)
    mlflow.down = None
    tracer.record(trace("fine"))
    await mlflow.wait_for("fine")
    await tracer.close()
    assert (kept(path), mlflow.prompts) == (["poison"], ["fine"])


async def test_an_unwritable_file_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    mlflow = Mlflow()
    mlflow.down = ConnectionRefusedError()
    tracer = Tracer(mlflow.send, fallback=tmp_path / "file" / "traces.jsonl", rest_after_failure=0)
    tracer.start()
    tracer.record(trace("lost"))
    await asyncio.sleep(0)
    mlflow.down = None
    tracer.record(trace("fine"))
    await mlflow.wait_for("fine")
    await tracer.close()


def test_encodes_prompt_and_response_as_mlflow_reads_them() -> None:
    failed = Trace(request_id="r2", user="user", model="m", prompt="Why?", error="upstream_timeout")
    request = ExportTraceServiceRequest.FromString(encode([trace("What?"), failed]))
    spans = request.resource_spans[0].scope_spans[0].spans
    first = {attribute.key: attribute.value.string_value for attribute in spans[0].attributes}
    assert json.loads(first["mlflow.spanInputs"])["prompt"] == "What?"
    assert json.loads(first["mlflow.spanOutputs"])["response"] == "Hi."
    assert [span.status.code for span in spans] == [1, 2]
    assert spans[1].status.message == "upstream_timeout"
    assert len(spans[0].trace_id) == 16
