"""Items 1 to 25 of the contract: the control API. Both servers."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from chaos.ports import free_port
from chaos.toxiproxy import (
    ConflictError,
    NotFoundError,
    ProxyHandle,
    ProxySpec,
    Toxiproxy,
    ToxiproxyError,
)
from tests.chaos.toxiproxy.support import LIMIT, Server, Upstream, refused, running

pytestmark = pytest.mark.medium

UPSTREAM = "127.0.0.1:9"
LATENCY = {"type": "latency", "attributes": {"latency": 10, "jitter": 5}}


async def error(http: httpx.AsyncClient, path: str, body: object) -> tuple[int, str]:
    """The status and the message that a POST is refused with."""
    answer = await http.post(path, json=body)
    document = answer.json()
    assert document["status"] == answer.status_code
    return answer.status_code, document["error"]


async def test_01_name_then_upstream_are_required(http: httpx.AsyncClient) -> None:
    assert await error(http, "/proxies", {}) == (400, "missing required field: name")
    assert await error(http, "/proxies", {"name": "", "upstream": ""}) == (
        400,
        "missing required field: name",
    )
    assert await error(http, "/proxies", {"name": "a"}) == (400, "missing required field: upstream")
    assert (await http.get("/proxies")).json() == {}


@pytest.mark.parametrize("body", [b"", b"{", b'{"name":', b"[]", b"5", b'{"name": 5}', b'{"name": NaN}'])
async def test_02_bad_json_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/proxies", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("bad request body: ")
    assert answer.text.endswith("\n")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_03_unknown_keys_are_ignored_and_case_does_not_matter(http: httpx.AsyncClient) -> None:
    body = {"NAME": "a", "Upstream": UPSTREAM, "listen": "127.0.0.1:0", "colour": "red"}
    answer = await http.post("/proxies", json=body)
    assert answer.status_code == 201
    assert answer.json()["name"] == "a"
    toxic = await http.post(
        "/proxies/a/toxics", json={"Type": "latency", "ATTRIBUTES": {"Latency": 7, "x": 1}}
    )
    assert toxic.status_code == 200
    assert toxic.json()["attributes"] == {"latency": 7, "jitter": 0}


async def test_04_listen_shows_the_real_address(toxiproxy: Toxiproxy, upstream: Upstream) -> None:
    proxy = await toxiproxy.create("a", upstream.address, listen="localhost:0")
    assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", proxy.listen)
    await upstream.pair(proxy)


async def test_05_a_disabled_proxy_keeps_listen_verbatim_and_unbound(toxiproxy: Toxiproxy) -> None:
    port = free_port()
    proxy = await toxiproxy.create("a", UPSTREAM, listen=f"localhost:{port}", enabled=False)
    assert proxy.listen == f"localhost:{port}"
    assert not (await proxy.get()).enabled
    assert await refused(port)


async def test_06_without_listen_any_address_and_a_random_port(
    http: httpx.AsyncClient, upstream: Upstream
) -> None:
    answer = await http.post("/proxies", json={"name": "a", "upstream": upstream.address})
    host, _, port = answer.json()["listen"].rpartition(":")
    assert host in {"[::]", "0.0.0.0"}
    await upstream.connect(int(port))
    await upstream.accept()


async def test_07_names_and_ports_conflict(toxiproxy: Toxiproxy) -> None:
    first = await toxiproxy.create("a", UPSTREAM)
    with pytest.raises(ConflictError) as conflict:
        await toxiproxy.create("a", UPSTREAM)
    assert (conflict.value.status, conflict.value.message) == (409, "proxy already exists")
    with pytest.raises(ToxiproxyError) as busy:
        await toxiproxy.create("b", UPSTREAM, listen=first.listen)
    assert busy.value.status == 500
    assert busy.value.message == f"listen tcp {first.listen}: bind: address already in use"
    assert list(await toxiproxy.proxies()) == ["a"]


async def test_08_delete_frees_the_port(toxiproxy: Toxiproxy) -> None:
    proxy = await toxiproxy.create("a", UPSTREAM)
    await proxy.delete()
    assert await refused(proxy.port)
    with pytest.raises(NotFoundError) as missing:
        await proxy.delete()
    assert (missing.value.status, missing.value.message) == (404, "proxy not found")
    await toxiproxy.create("b", UPSTREAM, listen=proxy.listen)


async def test_09_a_proxy_cannot_be_renamed(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    answer = await http.patch("/proxies/proxy", json={"name": "other"})
    assert answer.status_code == 200
    assert answer.json()["name"] == "proxy"
    assert list((await http.get("/proxies")).json()) == ["proxy"]


async def test_10_the_same_address_by_name_changes_nothing(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    updated = await proxy.server.update(
        proxy.name, listen=f"localhost:{proxy.port}", upstream=upstream.address
    )
    assert updated.listen == proxy.listen
    await client.send(b"still here")
    assert await server.receive(10) == b"still here"


async def test_11_another_upstream_drops_connections_and_keeps_toxics(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    client, server = await upstream.pair(proxy)
    await proxy.add_toxic("latency", latency=1)
    other = Upstream()
    try:
        updated = await proxy.server.update(proxy.name, upstream=other.address)
        assert (updated.listen, updated.upstream) == (proxy.listen, other.address)
        assert [toxic.name for toxic in updated.toxics] == ["latency_downstream"]
        assert (await client.ending(), await server.ending()) == ("eof", "eof")
        await other.pair(proxy)
    finally:
        other.close()


async def test_11_another_listen_address_moves_the_proxy(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = await upstream.pair(proxy)
    await proxy.add_toxic("latency", latency=1)
    updated = await proxy.server.update(proxy.name, listen="127.0.0.1:0")
    assert updated.port not in {proxy.port, 0}
    assert [toxic.name for toxic in updated.toxics] == ["latency_downstream"]
    assert (await client.ending(), await server.ending()) == ("eof", "eof")
    assert await refused(proxy.port)
    await upstream.connect(updated.port)
    await upstream.accept()


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_12_patch_and_post_update(http: httpx.AsyncClient, proxy: ProxyHandle, method: str) -> None:
    answer = await http.request(method, "/proxies/proxy", json={"enabled": False})
    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    await http.post("/proxies/proxy/toxics", json=LATENCY)
    path = "/proxies/proxy/toxics/latency_downstream"
    answer = await http.request(method, path, json={"attributes": {"latency": 3}})
    assert (answer.status_code, answer.json()["attributes"]["latency"]) == (200, 3)


async def test_13_a_toxic_is_named_after_its_type_and_stream(proxy: ProxyHandle) -> None:
    assert (await proxy.add_toxic("latency")).name == "latency_downstream"
    assert (await proxy.add_toxic("bandwidth", stream="upstream", rate=1)).name == "bandwidth_upstream"
    assert (await proxy.add_toxic("noop", name="mine")).name == "mine"
    # The upstream chain comes first.
    assert [t.name for t in (await proxy.get()).toxics] == [
        "bandwidth_upstream",
        "latency_downstream",
        "mine",
    ]


async def test_14_stream_is_echoed_as_it_was_spelled(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    answer = await http.post("/proxies/proxy/toxics", json={"type": "latency", "stream": "UpStream"})
    assert (answer.json()["stream"], answer.json()["name"]) == ("UpStream", "latency_UpStream")
    wrong = (400, "stream was invalid, can be either upstream or downstream")
    assert await error(http, "/proxies/proxy/toxics", {"type": "latency", "stream": ""}) == wrong
    assert await error(http, "/proxies/proxy/toxics", {"type": "latency", "stream": "sideways"}) == wrong


async def test_15_faults_are_reported_in_order(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    path = "/proxies/proxy/toxics"
    assert (await http.post(path, json=LATENCY)).status_code == 200
    taken, bad = {"name": "latency_downstream"}, {"attributes": {"latency": "x"}}
    body = await error(http, path, {"type": 5, "stream": "sideways", **taken, **bad})
    stream = await error(http, path, {"type": "nonsense", "stream": "sideways", **taken, **bad})
    kind = await error(http, path, {"type": "nonsense", **taken, **bad})
    duplicate = await error(http, path, {"type": "latency", **taken, **bad})
    attributes = await error(http, path, {"type": "latency", "name": "free", **bad})
    assert body[1].startswith("bad request body: ")
    assert stream[1].startswith("stream was invalid")
    assert kind == (400, "invalid toxic type")
    assert duplicate == (409, "toxic already exists")
    assert attributes[1].startswith("bad request body: ")
    assert (body[0], stream[0], attributes[0]) == (400, 400, 400)


async def test_16_a_name_is_taken_on_both_streams(proxy: ProxyHandle) -> None:
    await proxy.add_toxic("latency", name="mine")
    with pytest.raises(ConflictError) as conflict:
        await proxy.add_toxic("noop", name="mine", stream="upstream")
    assert (conflict.value.status, conflict.value.message) == (409, "toxic already exists")
    assert len((await proxy.get()).toxics) == 1


async def test_17_one_type_on_both_streams(proxy: ProxyHandle) -> None:
    await proxy.add_toxic("latency", stream="upstream")
    await proxy.add_toxic("latency", stream="downstream")
    names = [toxic.name for toxic in await proxy.server.toxics(proxy.name)]
    assert names == ["latency_upstream", "latency_downstream"]


async def test_18_an_update_merges(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    await proxy.add_toxic("latency", toxicity=0.25, latency=10, jitter=5)
    change = {"name": "x", "type": "noop", "stream": "upstream", "attributes": {"latency": 20}}
    answer = await http.patch("/proxies/proxy/toxics/latency_downstream", json=change)
    expected: dict[str, Any] = {
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 0.25,
        "attributes": {"latency": 20, "jitter": 5},
    }
    assert answer.json() == expected
    assert (await http.get("/proxies/proxy/toxics/latency_downstream")).json() == expected
    updated = await proxy.update_toxic("latency_downstream", toxicity=0.5)
    assert (updated.toxicity, updated.attributes) == (0.5, {"latency": 20, "jitter": 5})


@pytest.mark.parametrize("value", [1.5, "100", True, [1], 2**63])
async def test_19_numbers_are_whole(http: httpx.AsyncClient, proxy: ProxyHandle, value: object) -> None:
    path = "/proxies/proxy/toxics"
    status, message = await error(http, path, {"type": "latency", "attributes": {"latency": value}})
    assert (status, message.partition(":")[0]) == (400, "bad request body")
    await proxy.add_toxic("latency", latency=10)
    status, _ = await error(http, f"{path}/latency_downstream", {"attributes": {"latency": value}})
    assert status == 400
    assert (await proxy.get()).toxics[0].attributes["latency"] == 10


@pytest.mark.parametrize("toxicity", [5, -3, 0])
async def test_20_toxicity_is_not_validated(proxy: ProxyHandle, toxicity: float) -> None:
    assert (await proxy.add_toxic("noop", toxicity=toxicity)).toxicity == toxicity


async def test_21_populate_looks_at_all_names_first(http: httpx.AsyncClient) -> None:
    good = {"name": "a", "upstream": UPSTREAM, "listen": "127.0.0.1:0"}
    for bad, field in (({"name": "b"}, "upstream"), ({"upstream": UPSTREAM}, "name")):
        answer = await http.post("/populate", json=[good, bad])
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "error": f"missing required field: {field} at proxy 2",
            "status": 400,
            "proxies": None,
        }
    assert (await http.get("/proxies")).json() == {}


async def test_21_populate_stops_at_the_first_port_conflict(
    http: httpx.AsyncClient, toxiproxy: Toxiproxy
) -> None:
    taken = await toxiproxy.create("taken", UPSTREAM)
    specs = [
        {"name": "a", "upstream": UPSTREAM, "listen": "127.0.0.1:0"},
        {"name": "b", "upstream": UPSTREAM, "listen": taken.listen},
        {"name": "c", "upstream": UPSTREAM, "listen": "127.0.0.1:0"},
    ]
    answer = await http.post("/populate", json=specs)
    assert (answer.status_code, answer.json()["status"]) == (500, 500)
    assert answer.json()["error"] == f"listen tcp {taken.listen}: bind: address already in use"
    assert [proxy["name"] for proxy in answer.json()["proxies"]] == ["a"]
    assert set(await toxiproxy.proxies()) == {"taken", "a"}


async def test_21_populate_with_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post("/populate", json=[])
    assert (answer.status_code, answer.json()) == (201, {"proxies": None})


async def test_22_populate_leaves_matching_proxies_alone(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", latency=5)
    _, server = await upstream.pair(proxy)
    spec = ProxySpec(name=proxy.name, upstream=upstream.address, listen=proxy.listen)
    (same,) = await proxy.server.populate([spec])
    assert [toxic.name for toxic in same.toxics] == ["latency_downstream"]
    await server.assert_quiet(0.05)
    await proxy.disable()
    (same,) = await proxy.server.populate([spec])
    assert (same.enabled, same.listen) == (False, proxy.listen)


async def test_23_populate_replaces_what_differs(proxy: ProxyHandle, upstream: Upstream) -> None:
    await proxy.add_toxic("latency", latency=5)
    client, _ = await upstream.pair(proxy)
    (new,) = await proxy.server.populate([ProxySpec(name=proxy.name, upstream=UPSTREAM, listen=proxy.listen)])
    assert (new.listen, new.upstream, new.enabled, new.toxics) == (proxy.listen, UPSTREAM, True, ())
    assert await client.ending() == "eof"


async def test_24_reset_enables_all_and_removes_toxics(toxiproxy: Toxiproxy, upstream: Upstream) -> None:
    first = await toxiproxy.create("a", upstream.address, enabled=False)
    second = await toxiproxy.create("b", upstream.address)
    await first.add_toxic("latency", latency=5)
    await second.add_toxic("latency", stream="upstream", latency=5)
    client, server = await upstream.pair(second)
    await toxiproxy.reset()
    proxies = await toxiproxy.proxies()
    assert {name: (proxy.enabled, proxy.toxics) for name, proxy in proxies.items()} == {
        "a": (True, ()),
        "b": (True, ()),
    }
    assert await refused(proxies["a"].port) is False
    await client.send(b"lives")
    assert await server.receive(5) == b"lives"


async def test_25_metrics_count_bytes(
    http: httpx.AsyncClient, proxy: ProxyHandle, upstream: Upstream
) -> None:
    client, server = await upstream.pair(proxy)
    await client.send(b"12345")
    await server.receive(5)
    await server.send(b"123")
    await client.receive(3)
    client.close()
    await server.ending()
    labels = f'listener="{proxy.listen}",proxy="proxy",upstream="{upstream.address}"'
    expected = {
        f'toxiproxy_proxy_{way}_bytes_total{{direction="{direction}",{labels}}} {count}'
        for way in ("received", "sent")
        for direction, count in (("upstream", 5), ("downstream", 3))
    }
    async with asyncio.timeout(LIMIT):
        while not expected <= set((await http.get("/metrics")).text.splitlines()):
            pass
    assert (await http.post("/metrics")).status_code == 200


def test_25_no_metrics_without_the_flag(server: Server) -> None:
    with running(server.kind) as plain, httpx.Client(base_url=plain.url, trust_env=False) as http:
        assert http.get("/metrics").status_code == 404


async def test_bodies_have_the_keys_that_clients_look_for(
    http: httpx.AsyncClient, toxiproxy: Toxiproxy
) -> None:
    proxy = await toxiproxy.create("a", UPSTREAM)
    await proxy.add_toxic("latency", latency=10)
    document = (await http.get("/proxies/a")).json()
    document.pop("Logger", None)
    assert document == {
        "name": "a",
        "listen": proxy.listen,
        "upstream": UPSTREAM,
        "enabled": True,
        "toxics": [
            {
                "attributes": {"latency": 10, "jitter": 0},
                "name": "latency_downstream",
                "type": "latency",
                "stream": "downstream",
                "toxicity": 1,
            }
        ],
    }


ATTRIBUTES = [
    ("bandwidth", {"rate": 0}),
    ("latency", {"latency": 0, "jitter": 0}),
    ("limit_data", {"bytes": 0}),
    ("noop", {}),
    ("reset_peer", {"timeout": 0}),
    ("slow_close", {"delay": 0}),
    ("timeout", {"timeout": 0}),
]


@pytest.mark.parametrize(("toxic", "attributes"), ATTRIBUTES)
async def test_attributes_default_to_zero(proxy: ProxyHandle, toxic: str, attributes: dict[str, int]) -> None:
    assert (await proxy.add_toxic(toxic)).attributes == attributes


async def test_slicer_attributes(proxy: ProxyHandle) -> None:
    toxic = await proxy.add_toxic("slicer", average_size=10)
    assert toxic.attributes == {"average_size": 10, "size_variation": 0, "delay": 0}


async def test_what_is_not_there_is_404(http: httpx.AsyncClient, proxy: ProxyHandle) -> None:
    for method, path in (
        ("GET", "/proxies/x"),
        ("PATCH", "/proxies/x"),
        ("DELETE", "/proxies/x"),
        ("GET", "/proxies/x/toxics"),
        ("POST", "/proxies/x/toxics"),
        ("GET", "/proxies/x/toxics/y"),
    ):
        answer = await http.request(method, path, json={})
        assert (answer.status_code, answer.json()["error"]) == (404, "proxy not found")
    for method in ("GET", "PATCH", "POST", "DELETE"):
        answer = await http.request(method, "/proxies/proxy/toxics/y", json={})
        assert (answer.status_code, answer.json()["error"]) == (404, "toxic not found")


async def test_unrouted_paths_and_methods(http: httpx.AsyncClient) -> None:
    for path in ("/", "/nope", "/proxies/", "/proxies/a/b", "/proxies/a/toxics/b/c"):
        answer = await http.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    for method, path in (
        ("PUT", "/proxies"),
        ("DELETE", "/version"),
        ("GET", "/reset"),
        ("HEAD", "/proxies"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.content) == (405, b"")


async def test_browsers_are_kept_out(http: httpx.AsyncClient) -> None:
    answer = await http.get("/proxies", headers={"User-Agent": "Mozilla/5.0"})
    assert (answer.status_code, answer.text) == (403, "User agent not allowed\n")


async def test_version(toxiproxy: Toxiproxy, http: httpx.AsyncClient) -> None:
    assert (await http.get("/version")).text == f'{{"version": "{await toxiproxy.version()}"}}\n'


async def test_statuses_of_success(http: httpx.AsyncClient) -> None:
    body = {"name": "a", "upstream": UPSTREAM, "listen": "127.0.0.1:0"}
    answers = [
        await http.post("/proxies", json=body),
        await http.post("/proxies/a/toxics", json=LATENCY),
        await http.delete("/proxies/a/toxics/latency_downstream"),
        await http.post("/reset"),
        await http.delete("/proxies/a"),
        await http.post("/populate", json=[body]),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 204, 204, 204, 201]
    assert [len(answer.content) for answer in answers[2:5]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("method", "path", "agent", "status"),
    [
        ("GET", "/version", "", 200),
        ("GET", "/proxies", "", 200),
        ("POST", "/reset", "", 204),
        ("GET", "/proxies", "Mozilla/5.0", 403),
        ("GET", "/proxies/nonsense", "", 404),
        ("POST", "/proxies", "", 400),
    ],
)
async def test_answers_of_a_route_have_a_request_id(
    http: httpx.AsyncClient, method: str, path: str, agent: str, status: int
) -> None:
    answers = [await http.request(method, path, headers={"User-Agent": agent}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {status}
    first, second = (answer.headers["X-Toxiproxy-Request-Id"] for answer in answers)
    assert first != second
    for request_id in (first, second):
        assert re.fullmatch("[0-9a-v]{20}", request_id)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nonsense"), ("PUT", "/proxies")])
async def test_answers_of_no_route_have_no_request_id(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code in {404, 405}
    assert "X-Toxiproxy-Request-Id" not in answer.headers
