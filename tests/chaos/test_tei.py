from collections.abc import AsyncIterator

import httpx
import pytest

from chaos.history import Call
from chaos.recorder import Recorder
from chaos.tei import DIMENSIONS, TeiStandIn


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def http(recorder: Recorder) -> AsyncIterator[httpx.AsyncClient]:
    async with TeiStandIn(recorder) as tei, httpx.AsyncClient(base_url=tei.url) as http:
        yield http


async def test_texts_that_share_words_are_near(http: httpx.AsyncClient) -> None:
    texts = ["reset my password", "reset the password", "opening hours of libraries"]
    vectors = (await http.post("/embed", json={"inputs": texts})).json()

    assert [len(vector) for vector in vectors] == [DIMENSIONS] * 3
    near, far = (sum(x * y for x, y in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > 0.5
    assert abs(far) < 0.2


async def test_only_embeddings_count(http: httpx.AsyncClient, recorder: Recorder) -> None:
    assert (await http.get("/health")).status_code == 200
    assert (await http.get("/info")).status_code == 200
    assert (await http.post("/embed", json={"inputs": "one"})).status_code == 200

    assert [call.counted for call in recorder.history().of(Call)] == [False, False, True]


async def test_a_body_without_inputs_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/embed", json={"texts": "one"})).status_code == 422
