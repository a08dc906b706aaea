"""Traces in MLflow, by OpenTelemetry's protocol (`POST /v1/traces`, protobuf over HTTP).

MLflow's own client is made of blocking calls, and reports failures to its log alone; here it must be known, without
blocking, whether a trace has arrived.
See https://mlflow.org/docs/latest/genai/tracing/opentelemetry/ingest
"""

import json
from collections.abc import Sequence

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.services.tracing import Trace, TraceRejectedError


class MlflowExporter:
    def __init__(self, client: httpx.AsyncClient, *, tracking_uri: str, experiment_id: str) -> None:
        self._client = client
        self._url = f"{tracking_uri}/v1/traces"
        self._headers = {"Content-Type": "application/x-protobuf", "X-MLflow-Experiment-Id": experiment_id}

    async def send(self, traces: Sequence[Trace]) -> None:
        """Raises TraceRejectedError for a 4xx answer, and httpx.HTTPError for everything else that goes wrong."""
        response = await self._client.post(self._url, content=encode(traces), headers=self._headers)
        if response.is_client_error:
            raise TraceRejectedError(f"mlflow answered {response.status_code}")
        response.raise_for_status()


def encode(traces: Sequence[Trace]) -> bytes:
    """An export request with one span for each trace."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_attribute("service.name", "llm-api"))
    resource.scope_spans.add().spans.extend(map(_span, traces))
    encoded: bytes = request.SerializeToString()
    return encoded


def _span(trace: Trace) -> Span:
    failed = trace.error is not None
    return Span(
        trace_id=bytes.fromhex(trace.trace_id),
        span_id=bytes.fromhex(trace.trace_id[:16]),
        name="llm.generate",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=trace.started_ns,
        end_time_unix_nano=trace.ended_ns,
        attributes=[_attribute(name, value) for name, value in _attributes(trace).items()],
        status=Status(
            code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK, message=trace.error or ""
        ),
    )


def _attributes(trace: Trace) -> dict[str, str | int | float | bool]:
    """What MLflow shows by itself goes by its names; the rest by OpenTelemetry's for generative AI."""
    inputs = trace.model_dump(include={"model", "prompt", "system_prompt", "temperature", "max_tokens"})
    usage = {
        "input_tokens": trace.prompt_tokens,
        "output_tokens": trace.completion_tokens,
        "total_tokens": trace.total_tokens,
    }
    return {
        "mlflow.spanType": "LLM",
        "mlflow.spanInputs": json.dumps(inputs),
        "mlflow.spanOutputs": json.dumps({"response": trace.response, "error": trace.error}),
        "mlflow.chat.tokenUsage": json.dumps(usage),
        "gen_ai.request.model": trace.model,
        "request.id": trace.request_id,
        "user.id": trace.user,
        "llm.cached": trace.cached,
        "llm.cost_usd": trace.cost,
        "llm.latency_s": trace.latency,
    }


def _attribute(name: str, value: str | float | bool) -> KeyValue:  # noqa: FBT001  a value of any kind, not a switch
    match value:
        case bool():
            wrapped = AnyValue(bool_value=value)
        case int():
            wrapped = AnyValue(int_value=value)
        case float():
            wrapped = AnyValue(double_value=value)
        case str():
            wrapped = AnyValue(string_value=value)
    return KeyValue(key=name, value=wrapped)
