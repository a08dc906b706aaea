"""A Toxiproxy server with one proxy, in front of a scripted model."""

from collections.abc import AsyncIterator, Iterator

import pytest

from chaos.demo.board import Board
from chaos.llm import ScriptedLLM
from chaos.recorder import Recorder
from chaos.toxiproxy import ProxyHandle, Toxiproxy
from tests.chaos.toxiproxy.support import Server, running

NO_SERVICE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("embedded") as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[Server]:
    """For a test that ends it."""
    with running("embedded") as server:
        yield server


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    async with ScriptedLLM(Recorder(), controls=True) as llm:
        yield llm


@pytest.fixture
async def litellm(toxiproxy: Toxiproxy, llm: ScriptedLLM) -> ProxyHandle:
    return await toxiproxy.create("litellm", f"127.0.0.1:{llm.port}")


@pytest.fixture
def board(toxiproxy: Toxiproxy) -> Board:
    return Board(toxiproxy, NO_SERVICE)
