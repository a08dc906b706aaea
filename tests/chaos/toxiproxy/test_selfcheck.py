"""The check of a server's bytes, on servers that pass them on. tests/chaos/test_proxy_server.py has broken ones."""

from chaos.toxiproxy import Toxiproxy, check_bytes


async def test_a_server_that_passes_every_byte_on_passes(toxiproxy: Toxiproxy) -> None:
    await check_bytes(toxiproxy)
    assert await toxiproxy.proxies() == {}
