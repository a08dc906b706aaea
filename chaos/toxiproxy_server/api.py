"""The control API: https://github.com/Shopify/toxiproxy#http-api."""

import asyncio
import json
import secrets
from base64 import b32hexencode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from time import time
from typing import Any, Final
from urllib.parse import unquote

from chaos.toxiproxy_server import errors
from chaos.toxiproxy_server.errors import ApiError
from chaos.toxiproxy_server.fields import Fields, merge, objects
from chaos.toxiproxy_server.http import Request, Response
from chaos.toxiproxy_server.metrics import Metrics
from chaos.toxiproxy_server.registry import ProxySpec, Registry
from chaos.toxiproxy_server.toxic import Direction, Toxic
from chaos.toxiproxy_server.toxics import EFFECTS

VERSION: Final = "2.12.0-embedded"
"""The version of Toxiproxy whose API this is."""

Action = Callable[..., Awaitable[Response]]


def new_request_id() -> str:
    """Return an id like Toxiproxy's: twelve bytes in base 32, of which the first four are the time."""
    return b32hexencode(int(time()).to_bytes(4) + secrets.token_bytes(8)).decode("ascii").rstrip("=").lower()


def ok(document: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(status, json.dumps(document, separators=(",", ":")).encode(), "application/json")


def failed(error: ApiError) -> Response:
    text = json.dumps({"error": error.message, "status": int(error.status)}, separators=(",", ":"))
    return Response(error.status, f"{text}\n".encode(), "text/plain; charset=utf-8")


def plain(status: HTTPStatus, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


NO_CONTENT: Final = Response(HTTPStatus.NO_CONTENT)


class Api:
    """Answers control requests.

    Requests are served one at a time: each finds the server as the last one left it. None waits for a peer of a
    proxied connection, so none can hold up the next.
    """

    def __init__(self, registry: Registry, metrics: Metrics, *, expose_metrics: bool) -> None:
        self._registry = registry
        self._metrics = metrics
        self._lock = asyncio.Lock()
        self._routes: dict[tuple[str, ...], dict[str, Action]] = {
            ("version",): {"GET": self._version},
            ("reset",): {"POST": self._reset},
            ("populate",): {"POST": self.populate},
            ("proxies",): {"GET": self._list_proxies, "POST": self._create_proxy},
            ("proxies", "*"): {
                "GET": self._show_proxy,
                "POST": self._update_proxy,
                "PATCH": self._update_proxy,
                "DELETE": self._delete_proxy,
            },
            ("proxies", "*", "toxics"): {"GET": self._list_toxics, "POST": self._create_toxic},
            ("proxies", "*", "toxics", "*"): {
                "GET": self._show_toxic,
                "POST": self._update_toxic,
                "PATCH": self._update_toxic,
                "DELETE": self._delete_toxic,
            },
        }
        if expose_metrics:
            self._routes["metrics",] = dict.fromkeys(
                ("GET", "POST", "PUT", "PATCH", "DELETE"), self._show_metrics
            )

    async def handle(self, request: Request) -> Response:
        """The answer to a request, errors included."""
        segments = request.path.removeprefix("/").split("/")
        names = [unquote(name) for name in segments[1::2]]
        if not all(names):
            return plain(HTTPStatus.NOT_FOUND, "404 page not found")
        shape = tuple("*" if position % 2 else segment for position, segment in enumerate(segments))
        if (actions := self._routes.get(shape)) is None:
            return plain(HTTPStatus.NOT_FOUND, "404 page not found")
        if (action := actions.get(request.method)) is None:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED)
        return replace(await self._answer(request, action, names), request_id=new_request_id())

    async def _answer(self, request: Request, action: Action, names: list[str]) -> Response:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return plain(HTTPStatus.FORBIDDEN, "User agent not allowed")
        try:
            async with self._lock:
                return await action(request.body, *names)
        except ApiError as error:
            return failed(error)

    async def populate(self, body: bytes) -> Response:
        """Make sure of the proxies in a JSON list."""
        done: list[dict[str, Any]] = []
        try:
            for spec in proxy_specs(body):
                done.append((await self._registry.add_or_replace(spec)).document())  # noqa: PERF401 (kept on failure)
        except ApiError as error:
            problem = {"error": error.message, "status": int(error.status)}
            return ok(problem | {"proxies": done or None}, error.status)
        return ok({"proxies": done or None}, HTTPStatus.CREATED)

    async def _version(self, _body: bytes) -> Response:
        return Response(
            HTTPStatus.OK, f'{{"version": "{VERSION}"}}\n'.encode(), "application/json;charset=utf-8"
        )

    async def _reset(self, _body: bytes) -> Response:
        await self._registry.reset()
        return NO_CONTENT

    async def _show_metrics(self, _body: bytes) -> Response:
        text = self._metrics.render()
        return Response(HTTPStatus.OK, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _list_proxies(self, _body: bytes) -> Response:
        return ok(self._registry.documents())

    async def _create_proxy(self, body: bytes) -> Response:
        proxy = await self._registry.add(proxy_spec(Fields.parse(body)))
        return ok(proxy.document(), HTTPStatus.CREATED)

    async def _show_proxy(self, _body: bytes, name: str) -> Response:
        return ok(self._registry.get(name).document())

    async def _update_proxy(self, body: bytes, name: str) -> Response:
        proxy = self._registry.get(name)
        fields = Fields.parse(body)
        await proxy.update(
            listen=fields.text("listen", proxy.listen),
            upstream=fields.text("upstream", proxy.upstream),
            enabled=fields.flag("enabled", default=proxy.enabled),
        )
        return ok(proxy.document())

    async def _delete_proxy(self, _body: bytes, name: str) -> Response:
        await self._registry.remove(name)
        return NO_CONTENT

    async def _list_toxics(self, _body: bytes, name: str) -> Response:
        return ok(self._registry.get(name).toxic_documents())

    async def _create_toxic(self, body: bytes, name: str) -> Response:
        proxy = self._registry.get(name)
        toxic = new_toxic(Fields.parse(body), taken={toxic.name for toxic in proxy.toxics})
        proxy.add_toxic(toxic)
        return ok(toxic.document())

    async def _show_toxic(self, _body: bytes, name: str, toxic: str) -> Response:
        return ok(self._registry.get(name).toxic(toxic).document())

    async def _update_toxic(self, body: bytes, name: str, toxic_name: str) -> Response:
        proxy = self._registry.get(name)
        toxic = proxy.toxic(toxic_name)
        fields = Fields.parse(body)
        updated = replace(
            toxic,
            toxicity=fields.number("toxicity", toxic.toxicity),
            effect=merge(toxic.effect, fields.members("attributes")),
        )
        await proxy.update_toxic(updated)
        return ok(updated.document())

    async def _delete_toxic(self, _body: bytes, name: str, toxic: str) -> Response:
        await self._registry.get(name).remove_toxic(toxic)
        return NO_CONTENT


def proxy_spec(fields: Fields, *, where: str = "") -> ProxySpec:
    """A proxy as a request describes it; raises ApiError, saying `where`, if its name or upstream is missing."""
    spec = ProxySpec(
        name=fields.text("name", ""),
        listen=fields.text("listen", ""),
        upstream=fields.text("upstream", ""),
        enabled=fields.flag("enabled", default=True),
    )
    for name in ("name", "upstream"):
        if not getattr(spec, name):
            raise errors.missing_field(name + where)
    return spec


def proxy_specs(body: bytes) -> list[ProxySpec]:
    """All proxies of a list; raises ApiError at the first that is wrong."""
    return [
        proxy_spec(fields, where=f" at proxy {position}")
        for position, fields in enumerate(objects(body), start=1)
    ]


def new_toxic(fields: Fields, *, taken: set[str]) -> Toxic:
    """A toxic as a request describes it; raises ApiError for the first of its faults in Toxiproxy's order."""
    kind = fields.text("type", "")
    stream = fields.text("stream", Direction.DOWNSTREAM)
    name = fields.text("name", "")
    toxicity = fields.number("toxicity", 1)
    attributes = fields.members("attributes")
    if stream.lower() not in set(Direction):
        raise errors.invalid_stream()
    if kind not in EFFECTS:
        raise errors.invalid_toxic_type()
    name = name or f"{kind}_{stream}"
    if name in taken:
        raise errors.toxic_exists()
    return Toxic(name, kind, stream, toxicity, merge(EFFECTS[kind](), attributes))
