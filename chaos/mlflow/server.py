"""Serves one store, and looks for keys in everything that reaches it."""

import contextlib
import json
import re
import zlib
from typing import Any, Final
from urllib.parse import parse_qsl

from chaos.history import Trace
from chaos.http_server import HttpRequest, Responder
from chaos.keys import answer_code, find_key, find_keys
from chaos.mlflow.store import MlflowError, Store
from chaos.recorder import Recorder
from chaos.stand_in import StandIn
from chaos.traces import Generation, TraceBook, decompressed, documents, generations, is_complete

# Clients send spans over OTLP only to a server that says it is new enough to take them.
VERSION = "3.17.2"

MOST_TEXT: Final = 2 * 1024 * 1024
"""Bytes of a body that are looked at. A batch of spans, or a trace, has a hundredth of that."""
SMALL_TEXT: Final = 64 * 1024
MOST_NOTED: Final = 8 * 1024 * 1024
"""Bytes of bodies that are not small, which are looked through for traces in all: a second of the lab's time."""

_API = re.compile(r"/(?:ajax-)?api/[23]\.0/mlflow/(?P<endpoint>.+)")
_ARTIFACTS = re.compile(r"/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts(/.*)?")
_HEALTH = {"/health": b"OK", "/version": VERSION.encode(), "/": b"<!doctype html><title>MLflow</title>"}
"""What says that the server is up: the last one is its page for browsers."""
_JSON = "application/json"
_TEXT = "text/html; charset=utf-8"
_PROTOBUF = "application/x-protobuf"
_BEGINS = ("/mlflow/runs/create", "/mlflow/traces")

_ZLIB_OR_GZIP, _NO_HEADER = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


class MlflowStandIn(StandIn):
    """A tracking server that remembers no trace, but records which prompts' traces have reached it.

    Where a key, or the answer that only this key's prompt gets, stands in a request's body, a Trace is recorded,
    once for each key and path, and again when more of that trace has come. Health, version and the page for browsers are
    not counted as calls.
    """

    product = "mlflow"

    def __init__(self, recorder: Recorder, **options: Any) -> None:
        super().__init__(recorder, **options)
        self._store = Store()
        self._book = TraceBook()
        self._traces: dict[tuple[str, str], Trace] = {}
        self._last: dict[str, Trace] = {}
        self._left = MOST_NOTED

    async def wait_for_trace(self, key: str, timeout: float = 10.0) -> Trace:
        """Wait until the whole trace of `key` has arrived; raises TimeoutError after `timeout` seconds."""

        def look() -> Trace | None:
            trace = self._look_again(key)
            return trace if trace and is_complete(trace) else None

        return await self._journal.wait_for(look, timeout)

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        with self._working():
            text = _decoded(request)
            call = self._journal.call(request, key=find_key(text), counted=request.path not in _HEALTH)
            status, kind, body = self._answer(request, text)
            if status < 400:
                self._note(request, text, body)
        await self._journal.answer(call, responder, status, body, kind)

    def _answer(self, request: HttpRequest, text: bytes) -> tuple[int, str, bytes]:
        if request.path in _HEALTH:
            return 200, _TEXT, _HEALTH[request.path]
        if request.path == "/v1/traces" and request.method == "POST":
            # An empty ExportTraceServiceResponse says that all spans were accepted, in either encoding.
            is_json = request.headers.get("content-type", "").startswith("application/json")
            return (200, _JSON, b"{}") if is_json else (200, _PROTOBUF, b"")
        if _ARTIFACTS.fullmatch(request.path):
            return _artifact(request)
        try:
            answer = self._store.answer(request.method, _endpoint(request), _fields(request, text))
        except MlflowError as error:
            return error.status, _JSON, json.dumps(error.body).encode()
        return 200, _JSON, json.dumps(answer).encode()

    def _note(self, request: HttpRequest, text: bytes, answered: bytes) -> None:
        """Remember what a request holds. A run or trace is named in it, or in the answer of the one that begins it."""
        text = decompressed(text, MOST_TEXT)
        if len(text) > SMALL_TEXT:
            self._left -= len(text)
            if self._left < 0:
                return
        history = self._recorder.history()
        known = generations(history)
        models = frozenset[str]().union(*(one.models for one in known.values()))
        named = f"{request.path} {answered.decode()}" if request.path.endswith(_BEGINS) else request.path
        own: set[str] = set()
        related: set[str] = set()
        for document in documents(text, models, name=named):
            self._book.add(document)
            own |= document.keys | document.codes
            related |= self._book.nonces_about(document)
        answered_keys = {key for key in known if answer_code(key) in related}
        for key in sorted(answered_keys | set(find_keys(" ".join(related)))):
            is_new = bool(own & {key, answer_code(key)}) and (key, request.path) not in self._traces
            self._record(known.get(key, Generation(key)), request, is_new=is_new)

    def _look_again(self, key: str) -> Trace | None:
        """Return the trace of `key`. What a model has counted may be known later than the trace that tells of it."""
        last = self._last.get(key)
        if last and not is_complete(last):
            holds = self._book.holds(generations(self._recorder.history()).get(key, Generation(key)))
            if holds != last.holds:
                last = self._last[key] = self._recorder.record(last.model_copy(update={"holds": holds}))
        return last

    def _record(self, generation: Generation, request: HttpRequest, *, is_new: bool) -> None:
        holds = self._book.holds(generation)
        last = self._last.get(generation.key)
        if is_new or (last and last.holds != holds):
            detail = f"{request.method} {request.path}"
            trace = Trace(key=generation.key, place="mlflow", detail=detail, holds=holds)
            self._traces[generation.key, request.path] = self._last[generation.key] = self._recorder.record(
                trace
            )
            self._journal.changed()


def _artifact(request: HttpRequest) -> tuple[int, str, bytes]:
    if request.method == "PUT":
        return 200, _JSON, b"{}"
    if request.method == "GET" and "path=" in request.query:
        return 200, _JSON, b'{"files":[]}'
    return (
        404,
        _JSON,
        json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such artifact"}).encode(),
    )


def _endpoint(request: HttpRequest) -> str:
    found = _API.fullmatch(request.path)
    if found is None:
        raise MlflowError(404, "ENDPOINT_NOT_FOUND", f"No handler for {request.path}")
    return found["endpoint"]


def _fields(request: HttpRequest, text: bytes) -> dict[str, Any]:
    if request.method == "GET":
        return dict(parse_qsl(request.query))
    try:
        fields = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise MlflowError(400, "INVALID_PARAMETER_VALUE", f"The body is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MlflowError(400, "INVALID_PARAMETER_VALUE", "The body is no JSON object")
    return fields


def _decoded(request: HttpRequest) -> bytes:
    """Return the body without its compression, as far as it is looked at: OTLP exporters use gzip and deflate."""
    if request.headers.get("content-encoding", "identity") not in {"gzip", "deflate"}:
        return request.body[:MOST_TEXT]
    for header in (_ZLIB_OR_GZIP, _NO_HEADER):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(header).decompress(request.body, MOST_TEXT)
    return request.body[:MOST_TEXT]
