import asyncio
import gzip
import itertools
import json
import os
import sys
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from chaos.history import TRACE_PARTS, Call, Reply, Request, Trace
from chaos.keys import Keys, expected_answer
from chaos.mlflow import MlflowStandIn
from chaos.mlflow.server import MOST_NOTED, MOST_TEXT
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

KEY, OTHER = itertools.islice(Keys(1, "test"), 2)
API = "/api/2.0/mlflow"
PATIENCE = 60.0

# What a service does: one trace with the prompt in it, sent in the background, then flushed.
TRACED = """
import mlflow, sys

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("llm-api")

@mlflow.trace(span_type="CHAT_MODEL")
def generate(model, prompt):
    usage = {"input_tokens": 31, "output_tokens": 12, "total_tokens": 43}
    mlflow.get_current_active_span().set_attribute("mlflow.chat.tokenUsage", usage)
    return sys.argv[3]

generate("a-model", "Where is " + sys.argv[2] + "?")
mlflow.flush_trace_async_logging(terminate=True)
"""

# What a service with runs does. The tracing package leaves out the public client for them, but has the layer below.
LOGGED = """
import pathlib, sys, tempfile, time
from mlflow.entities import Metric, Param, RunStatus
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import _get_store, set_tracking_uri

set_tracking_uri(sys.argv[1])
store = _get_store()
run = store.create_run(store.create_experiment("mine"), "me", 1, [], "a run")
run_id = run.info.run_id
store.log_param(run_id, Param("prompt", sys.argv[2]))
store.log_metric(run_id, Metric("latency", 0.5, 1, 0))
store.log_param(run_id, Param("model", "a-model"))
store.log_batch(run_id, [Metric("tokens", 43, 1, 0)], [Param("answer", sys.argv[3])], [])
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "prompt.txt")
    path.write_text(sys.argv[2])
    get_artifact_repository(run.info.artifact_uri, tracking_uri=sys.argv[1]).log_artifact(path)
store.update_run_info(run_id, RunStatus.FINISHED, 9, "a run")
assert store.get_experiment_by_name("missing") is None
print(store.get_run(run_id).info.status)
print(store.get_experiment(run.info.experiment_id).name)
print(",".join(found.name for found in store.search_experiments()))
"""


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def mlflow(recorder: Recorder) -> AsyncIterator[MlflowStandIn]:
    async with MlflowStandIn(recorder) as mlflow:
        yield mlflow


@pytest.fixture
async def http(mlflow: MlflowStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mlflow.url) as http:
        yield http


def asked(recorder: Recorder, key: str = KEY, *, number: int = 900) -> None:
    """Record that the model was asked a prompt."""
    recorder.record(Request(request=number, label="x", method="POST", path="/llm/generate", key=key))
    fields: dict[str, Any] = {"upstream": "litellm", "method": "POST", "path": "/v1", "model": "a-model"}
    recorder.record(Call(call=number, connection=1, key=key, **fields))


def counted(recorder: Recorder, *, number: int = 900) -> None:
    """Record that the model answered, and what it counted."""
    recorder.record(Reply(call=number, outcome="answered", status=200, usage=(31, 12)))


def generated(recorder: Recorder, key: str = KEY, *, number: int = 900) -> None:
    asked(recorder, key, number=number)
    counted(recorder, number=number)


def whole(key: str = KEY) -> dict[str, object]:
    return {
        "prompt": f"Where is {key}?",
        "response": expected_answer(key),
        "model": "a-model",
        "total_tokens": 43,
    }


def holds(recorder: Recorder, key: str = KEY) -> list[tuple[str, ...]]:
    return [trace.holds for trace in recorder.history().of(Trace) if trace.key == key]


def places(recorder: Recorder, key: str = KEY) -> list[str]:
    return [trace.detail for trace in recorder.history().of(Trace) if trace.key == key]


async def run(code: str, *arguments: str, **environment: str) -> str:
    """Run a program that uses the real client, and return what it wrote; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        *arguments,
        env={
            **os.environ,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize("asynchronous", ["true", "false"])
async def test_the_real_client_delivers_a_trace(
    mlflow: MlflowStandIn, recorder: Recorder, asynchronous: str
) -> None:
    generated(recorder)
    running = asyncio.create_task(
        run(TRACED, mlflow.url, KEY, expected_answer(KEY), MLFLOW_ENABLE_ASYNC_TRACE_LOGGING=asynchronous)
    )
    trace = await mlflow.wait_for_trace(KEY, PATIENCE)
    assert (trace.key, trace.place) == (KEY, "mlflow")
    output = await running
    assert "WARNING" not in output
    assert "ERROR" not in output
    assert "POST /v1/traces" in places(recorder)
    assert "POST /api/3.0/mlflow/traces" in places(recorder)
    [upload] = [place for place in places(recorder) if place.startswith("PUT")]
    assert upload.startswith("PUT /api/2.0/mlflow-artifacts/artifacts/1/traces/tr-")
    assert upload.endswith("/artifacts/traces.json")
    # The client asks for its experiment before it creates it.
    assert [reply.status for reply in recorder.history().of(Reply) if reply.status != 200] == [404]
    assert holds(recorder)[-1] == TRACE_PARTS
    paths = [call.call.path for call in recorder.history().calls("mlflow")]
    assert paths[:2] == [f"{API}/experiments/get-by-name", f"{API}/experiments/create"]


async def test_the_real_client_logs_runs(mlflow: MlflowStandIn, recorder: Recorder) -> None:
    generated(recorder)
    output = await run(LOGGED, mlflow.url, KEY, expected_answer(KEY))
    assert output.split() == ["FINISHED", "mine", "Default,mine"]
    *logged, uploaded = places(recorder)
    assert logged == [f"POST {API}/runs/log-parameter"] * 2 + [f"POST {API}/runs/log-batch"]
    assert uploaded.startswith("PUT /api/2.0/mlflow-artifacts/artifacts/1/")
    assert uploaded.endswith("/artifacts/prompt.txt")
    assert holds(recorder) == [("prompt",), ("prompt", "model"), TRACE_PARTS, TRACE_PARTS]


async def test_spans_may_come_over_otlp(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    spans = ExportTraceServiceRequest()
    span = spans.resource_spans.add().scope_spans.add().spans.add(name="generate")
    span.attributes.add(key="prompt").value.string_value = f"Where is {KEY}?"
    raw = spans.SerializeToString()
    kind = {"content-type": "application/x-protobuf"}
    answer = await http.post("/v1/traces", content=raw, headers=kind)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert places(recorder) == ["POST /v1/traces"]


async def test_otlp_in_json_is_answered_in_json(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    generated(recorder)
    answer = await http.post("/v1/traces", json={"resourceSpans": [whole()]})
    assert answer.json() == {}
    assert (await mlflow.wait_for_trace(KEY)).detail == "POST /v1/traces"


async def test_a_trace_without_its_tokens_is_not_whole_until_they_are_known(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    asked(recorder)
    await http.post("/v1/traces", json=whole())
    with pytest.raises(TimeoutError):
        await mlflow.wait_for_trace(KEY, 0.05)
    counted(recorder)
    assert (await mlflow.wait_for_trace(KEY, PATIENCE)).holds == TRACE_PARTS


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-zlib.MAX_WBITS)),
    ],
)
async def test_keys_are_found_in_compressed_bodies(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder, encoding: str, compress: object
) -> None:
    assert callable(compress)
    body = compress(f"Where is {KEY}? ".encode() * 10)
    assert KEY.encode() not in body or encoding == "deflate"
    await http.post("/v1/traces", content=body, headers={"content-encoding": encoding})
    assert places(recorder) == ["POST /v1/traces"]


async def test_what_is_looked_through_has_an_end(http: httpx.AsyncClient, recorder: Recorder) -> None:
    bomb = gzip.compress(bytes(MOST_TEXT))
    for _ in range(MOST_NOTED // MOST_TEXT + 1):
        await http.post("/v1/traces", content=bomb, headers={"content-encoding": "gzip"})
    answer = await http.post("/v1/traces", content=OTHER.encode() + bytes(MOST_TEXT // 2))
    assert answer.status_code == 200
    await http.post("/v1/traces", content=KEY.encode())
    assert [trace.key for trace in recorder.history().of(Trace)] == [KEY]


async def test_a_body_that_only_says_it_is_compressed_does_no_harm(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/traces", content=b"no gzip", headers={"content-encoding": "gzip"})
    assert answer.status_code == 200


async def test_a_trace_is_recorded_once_for_each_key_and_path(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    for _ in range(2):
        await http.post("/v1/traces", content=f"{KEY} {OTHER} {KEY}".encode())
    await http.put(
        "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/prompt.txt", content=f"text of {KEY}".encode()
    )
    assert places(recorder) == [
        "POST /v1/traces",
        "PUT /api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/prompt.txt",
    ]
    assert places(recorder, OTHER) == ["POST /v1/traces"]


async def test_the_answer_to_a_prompt_tells_its_trace_as_well(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    recorder.record(Request(request=1, label="x", method="POST", path="/llm/generate", key=KEY))
    body = json.dumps({"answers": [expected_answer(KEY), expected_answer(OTHER)]})
    await http.post(f"{API}/runs/log-batch", content=body)
    assert places(recorder) == [f"POST {API}/runs/log-batch"]
    assert places(recorder, OTHER) == []


async def test_what_was_not_accepted_has_not_arrived(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    assert (await http.post("/nowhere", json={"prompt": KEY})).status_code == 404
    assert (await http.post(f"{API}/runs/create", content=f"{KEY}, but no JSON")).status_code == 400
    assert places(recorder) == []
    with pytest.raises(TimeoutError):
        await mlflow.wait_for_trace(KEY, 0.05)


async def test_traces_can_be_waited_for(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    generated(recorder)
    generated(recorder, OTHER, number=901)
    waiting = asyncio.create_task(mlflow.wait_for_trace(KEY, PATIENCE))
    await http.post("/v1/traces", json=whole(OTHER))
    await http.post("/v1/traces", content=KEY.encode())
    assert not waiting.done()
    await http.post("/v1/traces", json=whole())
    assert (await waiting).key == KEY


async def test_a_trace_is_told_where_its_spans_go(http: httpx.AsyncClient) -> None:
    info = {
        "trace_id": "tr-1",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
        "tags": {"a": "b"},
    }
    answer = await http.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}})
    assert answer.json()["trace"]["trace_info"] == {
        **info,
        "tags": {"a": "b", "mlflow.artifactLocation": "mlflow-artifacts:/7/traces/tr-1/artifacts"},
    }


async def test_older_clients_start_and_end_a_trace(http: httpx.AsyncClient) -> None:
    started = await http.post(f"{API}/traces", json={"experiment_id": "0", "timestamp_ms": 1, "tags": []})
    info = started.json()["trace_info"]
    assert info["tags"][0]["value"].startswith("mlflow-artifacts:/0/traces/tr-")
    ended = await http.patch(f"{API}/traces/{info['request_id']}", json={"timestamp_ms": 2, "status": "OK"})
    assert ended.json()["trace_info"]["status"] == "OK"


async def test_experiments_are_remembered(http: httpx.AsyncClient) -> None:
    async def by_name(name: str) -> httpx.Response:
        return await http.get(f"{API}/experiments/get-by-name", params={"experiment_name": name})

    missing = await by_name("mine")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    created = (await http.post(f"{API}/experiments/create", json={"name": "mine"})).json()["experiment_id"]
    assert (await by_name("mine")).json()["experiment"]["experiment_id"] == created
    assert (await by_name("Default")).json()["experiment"]["experiment_id"] == "0"
    found = await http.get(f"{API}/experiments/get", params={"experiment_id": created})
    assert found.json()["experiment"]["name"] == "mine"
    twice = await http.post(f"{API}/experiments/create", json={"name": "mine"})
    assert (twice.status_code, twice.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    listed = await http.post(f"{API}/experiments/search", json={"max_results": 10})
    assert [experiment["name"] for experiment in listed.json()["experiments"]] == ["Default", "mine"]


async def test_a_run_lives_from_creation_to_end(http: httpx.AsyncClient, recorder: Recorder) -> None:
    created = await http.post(
        f"{API}/runs/create", json={"experiment_id": "0", "start_time": 5, "run_name": "r"}
    )
    info = created.json()["run"]["info"]
    run_id = info["run_id"]
    assert (info["run_name"], info["status"], info["start_time"]) == ("r", "RUNNING", 5)
    for endpoint, fields in (
        ("log-parameter", {"key": "prompt", "value": f"Where is {KEY}?"}),
        ("log-metric", {"key": "latency", "value": 0.5}),
        ("log-batch", {"metrics": [{"key": "tokens", "value": 3}]}),
        ("set-tag", {"key": "a", "value": "b"}),
    ):
        answer = await http.post(f"{API}/runs/{endpoint}", json={"run_id": run_id, **fields})
        assert (answer.status_code, answer.json()) == (200, {})
    await http.post(f"{API}/runs/update", json={"run_id": run_id, "status": "FINISHED", "end_time": 9})
    run = (await http.get(f"{API}/runs/get", params={"run_id": run_id})).json()["run"]
    assert (run["info"]["status"], run["info"]["end_time"]) == ("FINISHED", 9)
    found = await http.post(f"{API}/runs/search", json={"experiment_ids": ["0"]})
    assert [run["info"]["run_id"] for run in found.json()["runs"]] == [run_id]
    assert (await http.get(f"{API}/runs/get", params={"run_id": "nope"})).status_code == 404
    assert places(recorder) == [f"POST {API}/runs/log-parameter"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/search", {"experiment_ids": None}),
        ("traces", {"trace": {"trace_info": None}}),
        ("runs/create", []),
    ],
)
async def test_fields_of_the_wrong_type_are_400(http: httpx.AsyncClient, path: str, body: object) -> None:
    answer = await http.post(f"{API}/{path}", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


async def test_artifacts_are_taken_and_not_kept(http: httpx.AsyncClient) -> None:
    root = "/api/2.0/mlflow-artifacts/artifacts"
    assert (await http.put(f"{root}/0/r/artifacts/a.txt", content=b"text")).status_code == 200
    assert (await http.get(root, params={"path": "0/r/artifacts"})).json() == {"files": []}
    assert (await http.get(f"{root}/0/r/artifacts/a.txt")).status_code == 404


async def test_health_and_version_do_not_count(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    assert (await http.get("/health")).text == "OK"
    assert (await http.get("/version")).text.startswith("3.")
    assert "MLflow" in (await http.get("/")).text
    assert recorder.history().calls("mlflow") == []
    await http.get(f"{API}/experiments/search")
    assert [call.call.path for call in recorder.history().calls("mlflow")] == [f"{API}/experiments/search"]
    assert len(recorder.history().of(Call)) == 4
    assert [reply.outcome for reply in recorder.history().of(Reply)] == ["answered"] * 4


async def test_it_fails_until_that_is_taken_back(
    mlflow: MlflowStandIn, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    mlflow.break_down(500)
    assert (await http.post(f"{API}/runs/create", json={"run_name": KEY})).status_code == 500
    assert (await http.get("/health")).status_code == 500
    assert not recorder.history().of(Trace)
    mlflow.break_down(None)
    assert (await http.post(f"{API}/runs/create", json={"run_name": KEY})).status_code == 200
    assert recorder.history().of(Trace)
