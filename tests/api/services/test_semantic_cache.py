"""The semantic cache: what it takes for the same question, whose, for how long, and what it costs when it fails."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from api.services import semantic_cache, vector_stores
from api.services.callers import Caller, Tier
from api.services.semantic_cache import (
    Kept,
    Lookup,
    SemanticCache,
    SemanticCacheRules,
    VectorStore,
    parse_semantic_cache,
    question_of,
)
from api.services.vector_stores import MOST_QUESTIONS, MOST_SCOPES, MemoryStore, open_store
from chaos.qdrant import QdrantStandIn
from chaos.recorder import Recorder
from chaos.vectors import vector
from tests.api.support import RunService
from tests.api.upstream import Upstream, completion, respond

pytestmark = pytest.mark.medium

ALICE = Caller("alice", Tier.FREE, frozenset())
BOB = Caller("bob", Tier.FREE, frozenset())
RULES = SemanticCacheRules(model="embedder", threshold=0.85, ttl=60)
ASKED = "At what hour does the northern gate of the harbour open for fishing boats at low tide?"
PARAPHRASE = "For fishing boats at low tide, at what hour does the northern gate of the harbour open?"
OPPOSITE = "At what hour does the southern gate of the harbour close to cargo ships at high water?"
NEGATED = "At what hour does the northern gate of the harbour not open for fishing boats at low tide?"
DIMENSIONS = 256


async def embed(_model: str, text: str) -> Sequence[float]:
    return vector(text, DIMENSIONS)


def fields(text: str = ASKED, **more: Any) -> dict[str, Any]:
    return {"model": "large", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture(params=["memory", "qdrant"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[VectorStore]:
    if request.param == "memory":
        yield open_store(None, collection="answers", timeout=10)
        return
    async with QdrantStandIn(Recorder()) as qdrant:
        opened = open_store(qdrant.url, collection="answers", timeout=10)
        yield opened
        await opened.close()


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine must not turn a hit into a miss."""
    for name in ("LOOKUP_TIMEOUT", "_WRITE_TIMEOUT"):
        monkeypatch.setattr(semantic_cache, name, 10.0)


async def learn(cache: SemanticCache, text: str = ASKED, body: bytes = b"at six") -> None:
    """Keep an answer to Alice's question."""
    lookup = await cache.look_up(fields(text), ALICE)
    assert lookup
    cache.keep(lookup, body)
    await asyncio.gather(*cache._tasks)


async def answer(cache: SemanticCache, text: str, caller: Caller = ALICE, **more: Any) -> bytes | None:
    lookup = await cache.look_up(fields(text, **more), caller)
    return lookup.body if lookup else None


async def test_only_the_same_question_of_the_same_user_is_answered(store: VectorStore) -> None:
    cache = SemanticCache(RULES, store, embed)
    await learn(cache)

    assert await answer(cache, ASKED) == b"at six"
    assert await answer(cache, PARAPHRASE) == b"at six"
    assert await answer(cache, OPPOSITE) is None
    assert await answer(cache, NEGATED) is None
    assert await answer(cache, ASKED, BOB) is None
    assert await answer(cache, ASKED, max_tokens=5) is None


async def test_the_nearest_question_counts(store: VectorStore) -> None:
    cache = SemanticCache(RULES, store, embed)
    await learn(cache, OPPOSITE, b"at noon")
    await learn(cache)

    assert await answer(cache, PARAPHRASE) == b"at six"
    assert await answer(cache, OPPOSITE) == b"at noon"


async def test_an_answer_expires(store: VectorStore) -> None:
    near = await embed("", ASKED)
    await store.keep("scope", near, Kept(ASKED, b"at six"), ttl=-1)

    assert await store.nearest("scope", near, threshold=0.5) is None


async def test_memory_is_bounded() -> None:
    store = MemoryStore()
    for number in range(MOST_SCOPES + 1):
        await store.keep(f"scope {number}", [1.0, 0.0], Kept("", b"first"), ttl=60)
    for _ in range(MOST_QUESTIONS):
        await store.keep(f"scope {MOST_SCOPES}", [0.0, 1.0], Kept("", b"later"), ttl=60)

    assert await store.nearest("scope 0", [1.0, 0.0], threshold=0.9) is None
    assert await store.nearest("scope 1", [1.0, 0.0], threshold=0.9) == Kept("", b"first")
    assert await store.nearest(f"scope {MOST_SCOPES}", [1.0, 0.0], threshold=0.9) is None


@pytest.mark.parametrize(
    "more",
    [
        {"stream": True},
        {"temperature": 0.7},
        {"tools": [{"type": "function"}]},
        {"messages": [{"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"messages": [{"role": "user", "content": 4001 * "x"}]},
    ],
)
def test_a_request_whose_answer_varies_is_not_for_the_cache(more: dict[str, Any]) -> None:
    assert question_of(fields(**more), ALICE) is None


def test_all_but_the_last_text_belongs_to_the_scope() -> None:
    system = {"role": "system", "content": "Be brief."}
    scopes = [
        question_of(request, caller)
        for request, caller in (
            (fields(), ALICE),
            (fields(), BOB),
            (fields(seed=1), ALICE),
            ({**fields(), "model": "small"}, ALICE),
            ({**fields(), "messages": [system, *fields()["messages"]]}, ALICE),
        )
    ]

    assert len({question.scope for question in scopes if question}) == 5
    other = question_of(fields(PARAPHRASE, temperature=None), ALICE)
    assert other
    assert other.text == PARAPHRASE


@pytest.mark.parametrize("failure", ["hangs", "raises"])
async def test_a_failure_costs_its_bound_once(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_cache, "LOOKUP_TIMEOUT", 0.05)
    embedded = []

    async def fail(_model: str, text: str) -> Sequence[float]:
        embedded.append(text)
        if failure == "hangs":
            await asyncio.Event().wait()
        raise OSError("down")

    cache = SemanticCache(RULES, MemoryStore(), fail)
    for _ in range(3):
        lookup = await cache.look_up(fields(), ALICE)
        assert lookup
        assert (lookup.body, lookup.vector) == (None, None)
        cache.keep(lookup, b"at six")

    assert embedded == [ASKED]
    await cache.close()


async def test_a_long_answer_is_not_kept() -> None:
    cache = SemanticCache(RULES, MemoryStore(), embed)
    await learn(cache, body=bytes(65 * 1024))

    assert await answer(cache, ASKED) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model": ""}', '{"model": "m", "ttl": 0}', '{"model": "m", "threshold": 2}']
)
def test_rules_that_are_none_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'must be a JSON object such as \{"model"'):
        parse_semantic_cache(text)


async def test_the_service_marks_hits_and_asks_the_backend_once(
    run_service: RunService, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        if request["path"].endswith("/embeddings"):
            text = json.loads(request["body"])["input"]
            body = json.dumps({"data": [{"embedding": vector(text, DIMENSIONS)}]}).encode()
            await respond(body=body)(writer, request)
        else:
            await completion("At six.")(writer, request)

    kept = asyncio.Event()
    keep = vector_stores.QdrantStore.keep

    async def keep_and_tell(self: Any, *args: Any, **options: Any) -> None:
        await keep(self, *args, **options)
        kept.set()

    monkeypatch.setattr(vector_stores.QdrantStore, "keep", keep_and_tell)
    monkeypatch.setattr("api.services.wiring.LOOKUP_TIMEOUT", 10.0)
    upstream.otherwise = behave
    rules = '{"model": "embedder", "threshold": 0.85, "ttl": 60}'
    async with (
        QdrantStandIn(Recorder()) as qdrant,
        run_service(qdrant_url=qdrant.url, semantic_cache=rules) as client,
    ):
        first = await client.post("/v1/chat/completions", json=fields())
        async with asyncio.timeout(30):
            await kept.wait()
        second = await client.post("/v1/chat/completions", json=fields(PARAPHRASE))
        varied = await client.post("/v1/chat/completions", json=fields(temperature=1))

    assert [one.headers.get("x-cache") for one in (first, second, varied)] == ["miss", "hit", None]
    assert second.json() == first.json()
    assert len([one for one in upstream.calls if one["path"].endswith("/chat/completions")]) == 2


def test_without_rules_no_store_is_imported() -> None:
    code = "import sys, api.config.app; print('api.services.vector_stores' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_lookup_without_a_vector_is_not_kept() -> None:
    cache = SemanticCache(RULES, MemoryStore(), embed)
    question = question_of(fields(), ALICE)
    assert question

    cache.keep(Lookup(question), b"at six")

    assert not cache._tasks
