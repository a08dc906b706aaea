"""Qdrant's REST interface, spoken for the local engine of qdrant-client.

Importing this module imports qdrant-client; see `QdrantStandIn.preload`. The interface is described at
https://api.qdrant.tech/api-reference.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json
from qdrant_client import QdrantClient
from qdrant_client.http import models

from chaos.qdrant.bounds import (
    MOST_AT_ONCE,
    MOST_BYTES,
    MOST_COST,
    MOST_DIMENSIONS,
    MOST_NUMBERS,
    MOST_PARTS,
    MOST_POINTS,
    cost,
)

_DEFAULT_LIMIT = 10
_POINTS: TypeAdapter[models.PointInsertOperations] = TypeAdapter(models.PointInsertOperations)
_UNBOUNDED = {
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "exists"),
    ("PUT", "index"),
    ("PUT", "points"),
}
"""The calls that take no long time, or whose bound is another."""
_SELECTOR: TypeAdapter[models.PointsSelector] = TypeAdapter(models.PointsSelector)


class _SearchRequest(BaseModel):
    """What clients before 1.16 ask with; the present one has no model for it."""

    vector: Any
    filter: models.Filter | None = None
    limit: int = _DEFAULT_LIMIT
    offset: int | None = None
    with_payload: models.WithPayloadInterface | None = None
    with_vector: models.WithVector | None = None
    score_threshold: float | None = None


class _RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class _Kept:
    """What a collection keeps. Points that are deleted or written anew count: the engine forgets none."""

    dimensions: int
    points: int = 0
    bytes: int = 0


class Engine:
    """One store in memory. Calls are synchronous, and quick for the few points that a test has.

    What would take long, or much memory, is refused as Qdrant's strict mode does it (`chaos.qdrant.bounds`).
    """

    def __init__(self) -> None:
        self._client = QdrantClient(":memory:")
        self._kept: dict[str, _Kept] = {}
        self._routes: dict[tuple[str, str], Callable[[str, bytes], Any]] = {
            ("GET", ""): self._info,
            ("PUT", ""): self._create,
            ("PATCH", ""): self._accept,
            ("DELETE", ""): self._drop,
            ("GET", "exists"): self._exists,
            ("PUT", "index"): self._index,
            ("PUT", "points"): self._upsert,
            ("POST", "points"): self._retrieve,
            ("POST", "points/batch"): self._batch,
            ("POST", "points/count"): self._count,
            ("POST", "points/delete"): self._delete,
            ("POST", "points/payload"): self._set_payload,
            ("PUT", "points/payload"): self._overwrite_payload,
            ("POST", "points/payload/delete"): self._delete_payload,
            ("POST", "points/query"): self._query,
            ("POST", "points/query/batch"): self._query_batch,
            ("POST", "points/scroll"): self._scroll,
            ("POST", "points/search"): self._search,
        }

    def close(self) -> None:
        self._client.close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the JSON body for one request."""
        began = time.monotonic()
        try:
            status, fields = 200, {"result": self._dispatch(method, path, body), "status": "ok"}
        except _RequestError as refused:
            status, fields = refused.status, {"status": {"error": str(refused)}}
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            status, fields = 400, {"status": {"error": f"Format error in JSON body: {first['msg']}"}}
        except (ValueError, TypeError, LookupError, NotImplementedError) as error:
            status, fields = 400, {"status": {"error": f"Wrong input: {error}"}}
        return status, to_json({**fields, "time": time.monotonic() - began}, fallback=_plain)

    def _dispatch(self, method: str, path: str, body: bytes) -> Any:
        if body.count(b"{") + body.count(b"[") > MOST_PARTS:
            raise _RequestError(413, f"JSON payload has more than {MOST_PARTS} objects and lists")
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["collections"] if method == "GET":
                return self._client.get_collections()
            case ["collections", name]:
                rest = ""
            case ["collections", name, "index", _] if method == "DELETE":
                return self._index(name, body)
            case ["collections", name, "points", point] if method == "GET" and point not in {
                "query",
                "search",
            }:
                return self._point(name, point)
            case ["collections", name, *parts]:
                rest = "/".join(parts)
            case _:
                raise _RequestError(404, "Not found")
        route = self._routes.get((method, rest))
        if route is None:
            raise _RequestError(404, "Not found")
        if (method, rest) not in {("PUT", ""), ("DELETE", ""), ("GET", "exists")}:
            self._must_exist(name)
        if (method, rest) not in _UNBOUNDED:
            self._afford(name, body)
        return route(name, body)

    def _must_exist(self, name: str) -> None:
        if not self._client.collection_exists(name):
            raise _RequestError(404, f"Not found: Collection `{name}` doesn't exist!")

    # Bounds.

    def _afford(self, name: str, body: bytes) -> None:
        """Refuse a request that would take long. One that cannot be read is refused by what reads it."""
        kept = self._kept[name]
        try:
            units = cost(_without_points(json.loads(body)), kept.points, kept.dimensions)
        except ValueError:
            return
        except RecursionError:
            units = MOST_COST + 1
        if units > MOST_COST:
            raise _RequestError(
                400, "Bad request: Limit exceeded for what one request may cost. Help: Ask for less."
            )

    def _make_room(self, name: str, points: int, size: int) -> None:
        """Count points that are about to be written, or refuse them."""
        if points > MOST_AT_ONCE:
            raise _RequestError(
                400,
                f'Bad request: Limit exceeded {points} > {MOST_AT_ONCE} for "upsert limit".'
                f' Help: Reduce the "upsert limit" parameter to or below {MOST_AT_ONCE}.',
            )
        kept = self._kept[name]
        kept.points += points
        kept.bytes += size
        every = self._kept.values()
        if (
            sum(one.points for one in every) > MOST_POINTS
            or sum(one.points * one.dimensions for one in every) > MOST_NUMBERS
            or sum(one.bytes for one in every) > MOST_BYTES
        ):
            kept.points -= points
            kept.bytes -= size
            raise _RequestError(400, "Bad request: Max points count or storage size limit exceeded")

    # Collections.

    def _info(self, name: str, _: bytes) -> Any:
        return self._client.get_collection(name)

    def _create(self, name: str, body: bytes) -> bool:
        asked = models.CreateCollection.model_validate_json(body)
        if self._client.collection_exists(name):
            raise _RequestError(409, f"Wrong input: Collection `{name}` already exists!")
        kept = _Kept(_dimensions(asked.vectors))
        if kept.dimensions > MOST_DIMENSIONS:
            message = f"value {kept.dimensions} invalid, must be between 1 and {MOST_DIMENSIONS}"
            raise _RequestError(422, f"Validation error in JSON body: [vectors.size: {message}]")
        made = self._client.create_collection(
            name, vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors
        )
        self._kept[name] = kept
        return made

    def _drop(self, name: str, _: bytes) -> bool:
        self._kept.pop(name, None)
        return self._client.collection_exists(name) and self._client.delete_collection(name)

    def _exists(self, name: str, _: bytes) -> dict[str, bool]:
        return {"exists": self._client.collection_exists(name)}

    def _accept(self, _name: str, _: bytes) -> bool:
        return True

    def _index(self, name: str, _: bytes) -> models.UpdateResult:
        self._must_exist(name)
        return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)

    # Writing points.

    def _upsert(self, name: str, body: bytes) -> Any:
        asked = _POINTS.validate_json(body)
        self._make_room(name, _number_written(asked), len(body))
        return self._client.upsert(
            name, asked.batch if isinstance(asked, models.PointsBatch) else asked.points
        )

    def _batch(self, name: str, body: bytes) -> Any:
        asked = models.UpdateOperations.model_validate_json(body)
        written = [one.upsert for one in asked.operations if isinstance(one, models.UpsertOperation)]
        self._make_room(name, sum(map(_number_written, written)), len(body))
        return self._client.batch_update_points(name, asked.operations)

    def _delete(self, name: str, body: bytes) -> Any:
        return self._client.delete(name, _SELECTOR.validate_json(body))

    def _set_payload(self, name: str, body: bytes) -> Any:
        asked = models.SetPayload.model_validate_json(body)
        return self._client.set_payload(name, asked.payload, _selected(asked), key=asked.key)

    def _overwrite_payload(self, name: str, body: bytes) -> Any:
        asked = models.SetPayload.model_validate_json(body)
        return self._client.overwrite_payload(name, asked.payload, _selected(asked))

    def _delete_payload(self, name: str, body: bytes) -> Any:
        asked = models.DeletePayload.model_validate_json(body)
        return self._client.delete_payload(name, asked.keys, _selected(asked))

    # Reading points.

    def _point(self, name: str, point: str) -> Any:
        self._must_exist(name)
        found = self._client.retrieve(name, [int(point) if point.isdigit() else point], with_vectors=True)
        if not found:
            raise _RequestError(404, f"Not found: Point with id {point} does not exists!")
        return found[0]

    def _retrieve(self, name: str, body: bytes) -> Any:
        asked = models.PointRequest.model_validate_json(body)
        return self._client.retrieve(
            name,
            asked.ids,
            with_payload=True if asked.with_payload is None else asked.with_payload,
            with_vectors=asked.with_vector or False,
        )

    def _count(self, name: str, body: bytes) -> Any:
        return self._client.count(name, models.CountRequest.model_validate_json(body).filter)

    def _scroll(self, name: str, body: bytes) -> Any:
        asked = models.ScrollRequest.model_validate_json(body)
        points, following = self._client.scroll(
            name,
            scroll_filter=asked.filter,
            limit=asked.limit or _DEFAULT_LIMIT,
            order_by=asked.order_by,
            offset=asked.offset,
            with_payload=True if asked.with_payload is None else asked.with_payload,
            with_vectors=asked.with_vector or False,
        )
        return {"points": points, "next_page_offset": following}

    def _query(self, name: str, body: bytes) -> Any:
        return self._run(name, models.QueryRequest.model_validate_json(body))

    def _query_batch(self, name: str, body: bytes) -> Any:
        return [self._run(name, one) for one in models.QueryRequestBatch.model_validate_json(body).searches]

    def _search(self, name: str, body: bytes) -> Any:
        asked = _SearchRequest.model_validate_json(body)
        named = isinstance(asked.vector, dict)
        query = models.QueryRequest(
            query=asked.vector["vector"] if named else asked.vector,
            using=asked.vector["name"] if named else None,
            **asked.model_dump(exclude={"vector"}),
        )
        return self._run(name, query).points

    def _run(self, name: str, asked: models.QueryRequest) -> models.QueryResponse:
        return self._client.query_points(
            name,
            query=asked.query,
            using=asked.using,
            prefetch=asked.prefetch,
            query_filter=asked.filter,
            limit=asked.limit or _DEFAULT_LIMIT,
            offset=asked.offset,
            with_payload=asked.with_payload or False,
            with_vectors=asked.with_vector or False,
            score_threshold=asked.score_threshold,
            lookup_from=asked.lookup_from,
        )


def _dimensions(vectors: models.VectorsConfig | None) -> int:
    """Return how many numbers a point has, in all its vectors."""
    each = vectors.values() if isinstance(vectors, dict) else [vectors] if vectors else []
    return sum(one.size for one in each)


def _number_written(asked: models.PointInsertOperations) -> int:
    return len(asked.batch.ids if isinstance(asked, models.PointsBatch) else asked.points)


def _without_points(asked: Any) -> Any:
    """Return a request without the points that a batch of operations writes: what they hold is not looked for."""
    match asked:
        case {"operations": [*operations]}:
            return [one for one in operations if not (isinstance(one, dict) and "upsert" in one)]
        case _:
            return asked


def _selected(asked: models.SetPayload | models.DeletePayload) -> models.PointsSelector:
    if asked.points is not None:
        return models.PointIdsList(points=asked.points)
    if asked.filter is not None:
        return models.FilterSelector(filter=asked.filter)
    raise _RequestError(400, "Either list of ids or filter must be provided")


def _plain(value: Any) -> Any:
    """Return a number or an array of numpy's as JSON knows it."""
    return value.tolist()
