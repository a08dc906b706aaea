"""Serves one store, and looks for keys in everything that reaches it."""

import contextlib
import json
import re
import zlib
from typing import Any
from urllib.parse import parse_qsl

from chaos.history import Request, Trace
from chaos.http_server import MAX_BODY_BYTES, HttpRequest, Responder
from chaos.keys import answer_code, find_answer_codes, find_key, find_keys
from chaos.mlflow.store import MlflowError, Store
from chaos.recorder import Recorder
from chaos.stand_in import StandIn

# Clients send spans over OTLP only to a server that says it is new enough to take them.
VERSION = "3.17.2"

_API = re.compile(r"/(?:ajax-)?api/[23]\.0/mlflow/(?P<endpoint>.+)")
_ARTIFACTS = re.compile(r"/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts(/.*)?")
_HEALTH = {"/health": b"OK", "/version": VERSION.encode()}
_JSON = "application/json"
_TEXT = "text/html; charset=utf-8"
_PROTOBUF = "application/x-protobuf"

_ZLIB_OR_GZIP, _NO_HEADER = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


class MlflowStandIn(StandIn):
    """A tracking server that remembers no trace, but records which prompts' traces have reached it.

    Where a key, or the answer that only this key's prompt gets, stands in a request's body, a Trace is recorded,
    once for each key and path. Health and version are not counted as calls.
    """

    product = "mlflow"

    def __init__(self, recorder: Recorder, **options: Any) -> None:
        super().__init__(recorder, **options)
        self._recorder = recorder
        self._store = Store()
        self._traces: dict[tuple[str, str], Trace] = {}
        self._codes: dict[str, str] = {}
        self._failing: int | None = None

    def fail(self, status: int | None) -> None:
        """Have every request fail with a status from now on; None ends that."""
        self._failing = status

    async def wait_for_trace(self, key: str, timeout: float = 10.0) -> Trace:
        """Wait until `key` has arrived in any request; raises TimeoutError after `timeout` seconds."""

        def look() -> Trace | None:
            return next((trace for trace in self._traces.values() if trace.key == key), None)

        return await self._journal.wait_for(look, timeout)

    async def _serve(self, request: HttpRequest, responder: Responder) -> None:
        text = _decoded(request)
        call = self._journal.call(request, key=find_key(text), counted=request.path not in _HEALTH)
        status, kind, body = self._answer(request, text)
        if status < 400:
            self._note(request, text)
        await self._journal.answer(call, responder, status, body, kind)

    def _answer(self, request: HttpRequest, text: bytes) -> tuple[int, str, bytes]:
        if self._failing is not None:
            return (
                self._failing,
                _JSON,
                json.dumps({"error_code": "INTERNAL_ERROR", "message": "failed"}).encode(),
            )
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

    def _note(self, request: HttpRequest, text: bytes) -> None:
        for key in dict.fromkeys([*find_keys(text), *self._answered_keys(text)]):
            if (key, request.path) not in self._traces:
                trace = Trace(key=key, place="mlflow", detail=f"{request.method} {request.path}")
                self._traces[key, request.path] = self._recorder.record(trace)
                self._journal.changed()

    def _answered_keys(self, text: bytes) -> list[str]:
        """Return the keys of the prompts whose answers stand in `text`: some services trace nothing but these."""
        codes = find_answer_codes(text)
        if any(code not in self._codes for code in codes):
            asked = self._recorder.history().of(Request)
            self._codes = {answer_code(event.key): event.key for event in asked if event.key}
        return [self._codes[code] for code in codes if code in self._codes]


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
    except ValueError as error:
        raise MlflowError(400, "INVALID_PARAMETER_VALUE", f"The body is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MlflowError(400, "INVALID_PARAMETER_VALUE", "The body is no JSON object")
    return fields


def _decoded(request: HttpRequest) -> bytes:
    """Return the body without its compression: OTLP exporters use gzip and deflate."""
    if request.headers.get("content-encoding", "identity") not in {"gzip", "deflate"}:
        return request.body
    for header in (_ZLIB_OR_GZIP, _NO_HEADER):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(header).decompress(request.body, MAX_BODY_BYTES)
    return request.body
