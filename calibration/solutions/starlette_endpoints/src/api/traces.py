"""Traces as OpenTelemetry spans: to MLflow by OTLP, or to a file if MLflow does not take them."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

from loguru import logger
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

FLUSH_LIMIT = 5


class FileExporter(SpanExporter):
    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


class FallbackExporter(SpanExporter):
    def __init__(self, first: SpanExporter, second: SpanExporter) -> None:
        self._first = first
        self._second = second

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._first.export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.FAILURE:
            logger.warning("MLflow did not take {} traces, they go to the file", len(spans))
            result = self._second.export(spans)
        return result


class Tracing:
    def __init__(self, uri: str) -> None:
        file = FileExporter(Path("traces.jsonl"))
        exporter: SpanExporter = file
        if uri.startswith("http"):
            otlp = OTLPSpanExporter(
                endpoint=f"{uri}/v1/traces", headers={"x-mlflow-experiment-id": "0"}, timeout=3
            )
            exporter = FallbackExporter(otlp, file)
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "llm-api"}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("api")

    def record(self, user: str, prompt: str, answer: dict) -> None:
        with self._tracer.start_as_current_span("generate") as span:
            span.set_attributes(
                {
                    "enduser.id": user,
                    "gen_ai.request.model": answer["model"],
                    "gen_ai.prompt": prompt,
                    "gen_ai.completion": answer["response"],
                    "gen_ai.usage.input_tokens": answer["prompt_tokens"],
                    "gen_ai.usage.output_tokens": answer["completion_tokens"],
                    "gen_ai.usage.total_tokens": answer["total_tokens"],
                    "gen_ai.usage.cost": answer["cost"],
                }
            )

    async def flush(self) -> None:
        """In a daemon thread: a thread that hangs in MLflow must not keep the process."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def work() -> None:
            self._provider.force_flush()
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=work, daemon=True).start()
        try:
            await asyncio.wait_for(done.wait(), FLUSH_LIMIT)
            logger.info("The traces are flushed")
        except TimeoutError:
            logger.warning("The traces could not be flushed in time")
