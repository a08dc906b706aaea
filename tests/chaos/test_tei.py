from collections.abc import AsyncIterator

import httpx
import pytest

from chaos.history import Call, Cleared
from chaos.recorder import Recorder
from chaos.tei import DIMENSIONS, MOST_TEXTS, TeiStandIn
from chaos.vectors import MOST_CHARACTERS


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


async def test_as_many_texts_are_embedded_as_the_lab_can_bear(http: httpx.AsyncClient) -> None:
    most = await http.post("/embed", json={"inputs": ["a"] * MOST_TEXTS})
    assert len(most.json()) == MOST_TEXTS

    more = await http.post("/embed", json={"inputs": ["a"] * (MOST_TEXTS + 1)})
    longer = await http.post("/embed", json={"inputs": ["a" * (MOST_CHARACTERS // 2), "b" * MOST_CHARACTERS]})
    for refused in (more, longer):
        assert refused.status_code == 413
        assert refused.json()["error_type"] == "Validation"


async def test_processor_time_that_a_service_asks_for_is_on_record() -> None:
    recorder = Recorder()
    texts = [f"text {number}" for number in range(MOST_TEXTS)]
    async with TeiStandIn(recorder) as tei, httpx.AsyncClient(base_url=tei.url) as http:
        assert (await http.post("/embed", json={"inputs": texts[:1]})).status_code == 200
    assert not recorder.history().of(Cleared)

    async with TeiStandIn(recorder) as tei, httpx.AsyncClient(base_url=tei.url) as http:
        for _ in range(40):
            assert (await http.post("/embed", json={"inputs": texts})).status_code == 200
    [cleared] = recorder.history().of(Cleared)
    assert (cleared.instance, cleared.processors) == ("tei", 1)
    assert cleared.processor > 1
