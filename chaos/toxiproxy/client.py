"""A client for Toxiproxy's control API: https://github.com/Shopify/toxiproxy#http-api."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from chaos.toxiproxy.errors import (
    ConflictError,
    ControlTimeoutError,
    NotFoundError,
    ToxiproxyError,
    UnreachableError,
)
from chaos.toxiproxy.models import Proxy, ProxySpec, Stream, Toxic

CONTROL_SECONDS: Final = 3.0
"""Long for a call over loopback; a real server that a stalled connection has locked up never answers."""

_PROXIES: Final = TypeAdapter(dict[str, Proxy])
_POPULATED: Final = TypeAdapter(list[Proxy] | None)
_TOXICS: Final = TypeAdapter(list[Toxic])

_ERRORS: Final[dict[int, type[ToxiproxyError]]] = {404: NotFoundError, 409: ConflictError}


class Toxiproxy:
    """One Toxiproxy server, at its control address, such as `http://127.0.0.1:8474`.

    Every call raises ToxiproxyError where the server refuses, UnreachableError where it cannot be reached, and
    ControlTimeoutError where it does not answer within `timeout` seconds. Proxy settings in the environment are
    not honoured.
    """

    def __init__(self, url: str, *, timeout: float = CONTROL_SECONDS) -> None:
        self.url = url
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, verify=False)  # noqa: S501 (it is plain HTTP)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the control API; proxies stay as they are."""
        await self._http.aclose()

    async def version(self) -> str:
        return str((await self._call("GET", "/version")).json()["version"])

    async def proxies(self) -> dict[str, Proxy]:
        """All proxies by name."""
        return _PROXIES.validate_json((await self._call("GET", "/proxies")).content)

    async def create(
        self, name: str, upstream: str, *, listen: str = "127.0.0.1:0", enabled: bool = True
    ) -> "ProxyHandle":
        """Make a proxy; raises ConflictError where the name is taken."""
        body = {"name": name, "upstream": upstream, "listen": listen, "enabled": enabled}
        return ProxyHandle(self, _proxy(await self._call("POST", "/proxies", body)))

    async def get(self, proxy: str) -> Proxy:
        """The present state of a proxy; raises NotFoundError."""
        return _proxy(await self._call("GET", _path(proxy)))

    async def update(
        self,
        proxy: str,
        *,
        listen: str | None = None,
        upstream: str | None = None,
        enabled: bool | None = None,
    ) -> Proxy:
        """Change what is given. Another `listen` or `upstream` closes the proxy's connections; toxics stay."""
        body = _given(listen=listen, upstream=upstream, enabled=enabled)
        return _proxy(await self._call("PATCH", _path(proxy), body))

    async def delete(self, proxy: str) -> None:
        """Close a proxy with all its connections; raises NotFoundError."""
        await self._call("DELETE", _path(proxy))

    async def populate(self, specs: Iterable[ProxySpec]) -> list[Proxy]:
        """Make sure of these proxies; those with the same addresses are left as they are.

        Where one cannot be had, those before it stay.
        """
        answer = await self._call("POST", "/populate", [spec.model_dump() for spec in specs])
        return _POPULATED.validate_python(answer.json()["proxies"]) or []

    async def reset(self) -> None:
        """Enable all proxies and remove all toxics."""
        await self._call("POST", "/reset")

    async def toxics(self, proxy: str) -> list[Toxic]:
        """The proxy's toxics, those of the upstream direction first, each in the order in which bytes meet them."""
        return _TOXICS.validate_json((await self._call("GET", _path(proxy, "toxics"))).content)

    async def add_toxic(
        self,
        proxy: str,
        kind: str,
        /,
        *,
        stream: Stream = "downstream",
        toxicity: float = 1.0,
        name: str | None = None,
        **attributes: int,
    ) -> Toxic:
        """Add a toxic of a kind, such as `latency`, at the end of its chain; its name is `<kind>_<stream>` if not given.

        `toxicity` is the share of connections that it affects, 0 to 1. Attributes are the kind's own, such as
        `latency` and `jitter` in milliseconds. Raises ConflictError where the name is taken.
        """
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        return _toxic(await self._call("POST", _path(proxy, "toxics"), body | _given(name=name)))

    async def update_toxic(
        self, proxy: str, name: str, /, *, toxicity: float | None = None, **attributes: int
    ) -> Toxic:
        """Change the attributes that are given, on living connections as well; raises NotFoundError."""
        body = {"attributes": attributes} | _given(toxicity=toxicity)
        return _toxic(await self._call("PATCH", _path(proxy, "toxics", name), body))

    async def remove_toxic(self, proxy: str, name: str) -> None:
        """Take a toxic away, from living connections as well; raises NotFoundError."""
        await self._call("DELETE", _path(proxy, "toxics", name))

    async def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            # httpx limits each read, not the whole.
            async with asyncio.timeout(self._timeout):
                response = await self._http.request(method, path, json=body)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise ControlTimeoutError(f"{method} {path}: no answer within {self._timeout:g} s") from exc
        except httpx.TransportError as exc:
            raise UnreachableError(f"{method} {path}: {exc or type(exc).__name__}") from exc
        if response.is_error:
            raise _error(response)
        return response


class ProxyHandle:
    """A proxy that was created, for calls without its name. `listen` is where it listened then."""

    def __init__(self, server: Toxiproxy, proxy: Proxy) -> None:
        self.server = server
        self.name = proxy.name
        self.listen = proxy.listen
        self.host = proxy.host
        self.port = proxy.port

    async def get(self) -> Proxy:
        return await self.server.get(self.name)

    async def enable(self) -> None:
        await self.server.update(self.name, enabled=True)

    async def disable(self) -> None:
        """Refuse connections, and close those that there are."""
        await self.server.update(self.name, enabled=False)

    async def delete(self) -> None:
        await self.server.delete(self.name)

    async def add_toxic(
        self,
        kind: str,
        /,
        *,
        stream: Stream = "downstream",
        toxicity: float = 1.0,
        name: str | None = None,
        **attributes: int,
    ) -> Toxic:
        """As `Toxiproxy.add_toxic`."""
        return await self.server.add_toxic(
            self.name, kind, stream=stream, toxicity=toxicity, name=name, **attributes
        )

    async def update_toxic(self, name: str, /, *, toxicity: float | None = None, **attributes: int) -> Toxic:
        """As `Toxiproxy.update_toxic`."""
        return await self.server.update_toxic(self.name, name, toxicity=toxicity, **attributes)

    async def remove_toxic(self, name: str) -> None:
        await self.server.remove_toxic(self.name, name)


def _path(proxy: str, *rest: str) -> str:
    return "/".join(["/proxies", *(quote(part, safe="") for part in (proxy, *rest))])


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _proxy(response: httpx.Response) -> Proxy:
    return Proxy.model_validate_json(response.content)


def _toxic(response: httpx.Response) -> Toxic:
    return Toxic.model_validate_json(response.content)


def _error(response: httpx.Response) -> ToxiproxyError:
    try:
        message = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):  # an answer of no Toxiproxy's
        message = response.text.strip() or response.reason_phrase
    return _ERRORS.get(response.status_code, ToxiproxyError)(message, response.status_code)
