import asyncio
import sys
from collections.abc import AsyncIterator
from importlib import metadata

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from chaos.history import Call, Reply
from chaos.qdrant import QdrantStandIn
from chaos.qdrant.bounds import MOST_AT_ONCE, MOST_PARTS, MOST_POINTS
from chaos.recorder import Recorder

pytestmark = pytest.mark.medium

SIZE = 8


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def qdrant(recorder: Recorder) -> AsyncIterator[QdrantStandIn]:
    async with QdrantStandIn(recorder) as qdrant:
        yield qdrant


@pytest.fixture
async def client(qdrant: QdrantStandIn) -> AsyncIterator[AsyncQdrantClient]:
    client = AsyncQdrantClient(url=qdrant.url, check_compatibility=False)
    yield client
    await client.close()


@pytest.fixture
async def http(qdrant: QdrantStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=qdrant.url) as http:
        yield http


def unit(axis: int) -> list[float]:
    return [1.0 if axis == i else 0.0 for i in range(SIZE)]


def colour(value: str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="colour", match=models.MatchValue(value=value))])


async def fill(client: AsyncQdrantClient, name: str = "docs", count: int = SIZE) -> None:
    """Points 0, 1, ...: each along an axis of its own, red and blue in turn."""
    vectors = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    assert await client.create_collection(name, vectors_config=vectors)
    points = [
        models.PointStruct(id=i, vector=unit(i % SIZE), payload={"n": i, "colour": ("red", "blue")[i % 2]})
        for i in range(count)
    ]
    assert (await client.upsert(name, points)).status == models.UpdateStatus.COMPLETED


async def test_collections_come_and_go(client: AsyncQdrantClient) -> None:
    assert (await client.get_collections()).collections == []
    assert not await client.collection_exists("docs")
    await fill(client)
    assert await client.collection_exists("docs")
    assert [found.name for found in (await client.get_collections()).collections] == ["docs"]
    info = await client.get_collection("docs")
    assert info.points_count == SIZE
    vectors = info.config.params.vectors
    assert isinstance(vectors, models.VectorParams)
    assert (vectors.size, vectors.distance) == (SIZE, models.Distance.COSINE)
    assert await client.delete_collection("docs")
    assert not await client.collection_exists("docs")


async def test_a_collection_cannot_be_created_twice(client: AsyncQdrantClient) -> None:
    await fill(client)
    with pytest.raises(UnexpectedResponse) as caught:
        await client.create_collection("docs", models.VectorParams(size=1, distance=models.Distance.DOT))
    assert caught.value.status_code == 409


async def test_what_is_missing_is_404(client: AsyncQdrantClient) -> None:
    for request in (
        lambda: client.get_collection("nope"),
        lambda: client.count("nope"),
        lambda: client.upsert("nope", [models.PointStruct(id=1, vector=unit(1))]),
        lambda: client.query_points("nope", unit(1)),
    ):
        with pytest.raises(UnexpectedResponse, match="Not found: Collection `nope`") as caught:
            await request()
        assert caught.value.status_code == 404


async def test_the_nearest_points_are_found(client: AsyncQdrantClient) -> None:
    await fill(client)
    query = [0.9, 0.1, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0]
    found = (await client.query_points("docs", query, limit=3, with_payload=True)).points
    assert [point.id for point in found] == [0, 3, 1]
    assert found[0].payload == {"n": 0, "colour": "red"}
    assert found[0].score > found[1].score > found[2].score
    blue = (await client.query_points("docs", query, limit=1, query_filter=colour("blue"))).points
    assert [point.id for point in blue] == [3]
    near = (await client.query_points("docs", query, score_threshold=0.5)).points
    assert [point.id for point in near] == [0]
    [bare] = (await client.query_points("docs", query, limit=1, with_payload=False, with_vectors=True)).points
    assert bare.payload is None
    assert bare.vector == unit(0)


async def test_queries_come_in_batches_and_by_id(client: AsyncQdrantClient) -> None:
    await fill(client)
    requests = [models.QueryRequest(query=unit(axis), limit=1) for axis in (2, 5)]
    batches = await client.query_batch_points("docs", requests)
    assert [[point.id for point in batch.points] for batch in batches] == [[2], [5]]
    by_id = await client.query_points("docs", query=4, limit=SIZE)
    assert 4 not in [point.id for point in by_id.points]


async def test_points_are_retrieved_counted_and_scrolled(client: AsyncQdrantClient) -> None:
    await fill(client, count=25)
    found = await client.retrieve("docs", [3, 99], with_vectors=True)
    assert [(point.id, point.vector) for point in found] == [(3, unit(3))]
    assert (await client.count("docs")).count == 25
    assert (await client.count("docs", count_filter=colour("blue"))).count == 12
    seen: list[object] = []
    offset = None
    while True:
        page, offset = await client.scroll("docs", colour("red"), limit=5, offset=offset)
        seen += [point.id for point in page]
        if offset is None:
            break
    assert seen == list(range(0, 25, 2))


async def test_points_are_upserted_as_a_batch_and_overwritten(client: AsyncQdrantClient) -> None:
    await fill(client)
    ids: list[models.ExtendedPointId] = [1, "8e9d2d62-6d3b-4f3c-9f0e-0d1e5c7e4a11"]
    await client.upsert(
        "docs", models.Batch(ids=ids, vectors=[unit(7), unit(6)], payloads=[{"x": 1}, {"x": 2}])
    )
    found = await client.retrieve("docs", ids)
    assert {point.id: point.payload for point in found} == {ids[0]: {"x": 1}, ids[1]: {"x": 2}}
    assert (await client.count("docs")).count == SIZE + 1


async def test_points_are_deleted_by_id_and_by_filter(client: AsyncQdrantClient) -> None:
    await fill(client)
    await client.delete("docs", [0, 1])
    assert (await client.count("docs")).count == SIZE - 2
    await client.delete("docs", models.FilterSelector(filter=colour("red")))
    left, _ = await client.scroll("docs")
    assert [point.id for point in left] == [3, 5, 7]


async def test_payloads_change_and_indexes_are_accepted(client: AsyncQdrantClient) -> None:
    await fill(client)
    await client.create_payload_index("docs", "colour", models.PayloadSchemaType.KEYWORD)
    await client.set_payload("docs", {"seen": True}, points=[2])
    await client.delete_payload("docs", ["colour"], points=[2])
    await client.overwrite_payload("docs", {"only": 1}, points=[3])
    found = await client.retrieve("docs", [2, 3])
    assert [point.payload for point in found] == [{"n": 2, "seen": True}, {"only": 1}]
    await client.delete_payload_index("docs", "colour")


async def test_operations_come_in_batches(client: AsyncQdrantClient) -> None:
    await fill(client)
    point = models.PointStruct(id=100, vector=unit(0))
    await client.batch_update_points(
        "docs",
        [
            models.UpsertOperation(upsert=models.PointsList(points=[point])),
            models.DeleteOperation(delete=models.PointIdsList(points=[0])),
        ],
    )
    assert [found.id for found in await client.retrieve("docs", [0, 100])] == [100]


async def test_named_vectors_serve_too(client: AsyncQdrantClient, http: httpx.AsyncClient) -> None:
    config = {"text": models.VectorParams(size=2, distance=models.Distance.DOT)}
    await client.create_collection("named", vectors_config=config)
    await client.upsert("named", [models.PointStruct(id=1, vector={"text": [1.0, 2.0]})])
    [found] = (await client.query_points("named", [1.0, 1.0], using="text")).points
    assert found.score == 3.0
    old = {"vector": {"name": "text", "vector": [1, 1]}, "limit": 1}
    answer = await http.post("/collections/named/points/search", json=old)
    assert answer.json()["result"][0]["score"] == 3.0


async def test_older_clients_can_still_search(client: AsyncQdrantClient, http: httpx.AsyncClient) -> None:
    await fill(client)
    old = {
        "vector": unit(2),
        "limit": 2,
        "with_payload": True,
        "filter": colour("red").model_dump(exclude_none=True),
    }
    answer = await http.post("/collections/docs/points/search", json=old)
    assert answer.status_code == 200
    found = answer.json()["result"]
    assert (found[0]["id"], found[0]["payload"]["colour"], len(found)) == (2, "red", 2)


async def test_one_point_has_an_address(client: AsyncQdrantClient, http: httpx.AsyncClient) -> None:
    await fill(client)
    assert (await http.get("/collections/docs/points/3")).json()["result"]["payload"]["n"] == 3
    assert (await http.get("/collections/docs/points/33")).status_code == 404


async def test_the_synchronous_client_works_as_well(qdrant: QdrantStandIn) -> None:
    def use() -> list[object]:
        client = QdrantClient(url=qdrant.url, check_compatibility=False)
        try:
            client.create_collection("c", models.VectorParams(size=2, distance=models.Distance.DOT))
            client.upsert("c", [models.PointStruct(id=i, vector=[float(i), 1.0]) for i in range(3)])
            return [point.id for point in client.query_points("c", [1.0, 0.0]).points]
        finally:
            client.close()

    assert await asyncio.to_thread(use) == [2, 1, 0]


async def test_the_version_is_one_that_the_client_puts_up_with(client: AsyncQdrantClient) -> None:
    assert (await client.info()).version == metadata.version("qdrant-client")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/collections/docs/points", b"{}"),
        ("PUT", "/collections/docs/points", b"no json"),
        ("POST", "/collections/docs/points/query", b'{"query": [1.0]}'),
        ("POST", "/collections/docs/points/payload", b'{"payload": {}}'),
        ("PUT", "/collections/other", b'{"vectors": {"size": 4, "distance": "Odd"}}'),
    ],
)
async def test_wrong_input_is_400_with_a_reason(
    client: AsyncQdrantClient, http: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    await fill(client)
    answer = await http.request(method, path, content=body)
    assert answer.status_code == 400
    assert answer.json()["status"]["error"]


async def test_unknown_paths_are_404(client: AsyncQdrantClient, http: httpx.AsyncClient) -> None:
    await fill(client)
    for path in ("/nope", "/collections/docs/nope", "/collections/docs/points/search"):
        assert (await http.get(path)).status_code == 404


async def test_data_calls_count_and_health_does_not(
    client: AsyncQdrantClient, http: httpx.AsyncClient, recorder: Recorder
) -> None:
    await client.get_collections()
    for path in ("/", "/healthz", "/readyz", "/livez", "/metrics"):
        assert (await http.get(path)).status_code == 200
    await http.post("/collections/x/points/scroll", json={"with_payload": ["ref-1a2b3c4d5e6f"]})
    counted = recorder.history().calls("qdrant")
    assert [call.call.path for call in counted] == ["/collections", "/collections/x/points/scroll"]
    assert counted[1].call.key == "ref-1a2b3c4d5e6f"
    assert len(recorder.history().of(Call)) == 7
    assert [reply.status for reply in recorder.history().of(Reply)] == [200] * 6 + [404]


async def test_two_instances_share_nothing() -> None:
    async with QdrantStandIn(Recorder()) as one, QdrantStandIn(Recorder()) as two:
        first = AsyncQdrantClient(url=one.url, check_compatibility=False)
        second = AsyncQdrantClient(url=two.url, check_compatibility=False)
        await fill(first)
        assert (await second.get_collections()).collections == []
        await first.close()
        await second.close()


async def test_the_engine_is_imported_in_a_thread_of_its_own() -> None:
    """In a fresh interpreter, where nothing has imported the client yet, the loop goes on turning."""
    code = """
import asyncio, sys, time
from chaos.qdrant import QdrantStandIn
from chaos.qdrant.bounds import MOST_AT_ONCE, MOST_PARTS, MOST_POINTS

async def main():
    assert "qdrant_client" not in sys.modules
    loading = asyncio.create_task(QdrantStandIn.preload())
    turns = 0
    while not loading.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert "qdrant_client" in sys.modules
    assert turns > 10, turns

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_more_points_than_the_lab_can_bear_are_refused(
    client: AsyncQdrantClient, http: httpx.AsyncClient
) -> None:
    await fill(client, count=MOST_AT_ONCE)
    point = {"id": 1, "vector": unit(0)}
    many = await http.put("/collections/docs/points", json={"points": [point] * (MOST_AT_ONCE + 1)})
    assert many.status_code == 400
    assert "Limit exceeded 1001 > 1000" in many.json()["status"]["error"]
    operations = [{"upsert": {"points": [point] * (MOST_AT_ONCE // 2)}}] * 2
    for _ in range(MOST_POINTS // MOST_AT_ONCE - 1):
        kept = await http.post("/collections/docs/points/batch", json={"operations": operations})
        assert kept.status_code == 200
    full = await http.put("/collections/docs/points", json={"points": [point]})
    assert full.status_code == 400
    assert "limit exceeded" in full.json()["status"]["error"]

    assert await client.delete_collection("docs")
    await fill(client)


async def test_a_body_of_many_small_parts_is_refused_unread(
    client: AsyncQdrantClient, http: httpx.AsyncClient
) -> None:
    await fill(client)
    body = b'{"points": [%s]}' % b",".join([b'{"id": 1, "vector": []}'] * MOST_PARTS)
    assert (await http.put("/collections/docs/points", content=body)).status_code == 413


@pytest.mark.parametrize("size", [65_537, 300_000_000])
async def test_vectors_are_no_longer_than_qdrant_s(http: httpx.AsyncClient, size: int) -> None:
    made = await http.put("/collections/large", json={"vectors": {"size": size, "distance": "Cosine"}})
    assert made.status_code == 422
    assert (await http.get("/collections/large/exists")).json()["result"] == {"exists": False}


CONDITION = {"key": "colour", "match": {"value": "red"}}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("query/batch", {"searches": [{"query": unit(0), "limit": 50_000}] * 20}),
        ("query", {"query": unit(0), "filter": {"must": [CONDITION] * 100}}),
        ("query", {"query": {"recommend": {"positive": [unit(0)] * 200}}}),
        ("query", {"prefetch": [{"query": unit(0)}] * 100, "query": {"fusion": "rrf"}}),
        ("count", {"filter": {"must": [CONDITION] * 100}}),
        ("delete", {"filter": {"must": [CONDITION] * 100}}),
        ("batch", {"operations": [{"delete": {"filter": {"must": [CONDITION] * 100}}}]}),
    ],
)
async def test_what_would_keep_the_lab_busy_is_refused(
    client: AsyncQdrantClient, http: httpx.AsyncClient, path: str, asked: object
) -> None:
    await fill(client, count=MOST_AT_ONCE)
    refused = await http.post(f"/collections/docs/points/{path}", json=asked)
    assert refused.status_code == 400
    assert "Limit exceeded" in refused.json()["status"]["error"]


async def test_what_services_ask_of_many_points_is_answered(client: AsyncQdrantClient) -> None:
    for _ in range(4):
        await fill(client, count=MOST_AT_ONCE)
        await client.delete_collection("docs")
    await fill(client, count=MOST_AT_ONCE)
    points, following = await client.scroll("docs", limit=10_000, with_vectors=True)
    assert (len(points), following) == (MOST_AT_ONCE, None)
    found = await client.query_points("docs", unit(0), query_filter=colour("red"), limit=MOST_AT_ONCE)
    assert len(found.points) == MOST_AT_ONCE // 2
