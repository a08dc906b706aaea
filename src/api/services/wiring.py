"""The services of one running application, made at its start and closed at its end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import orjson

from api.config.settings import Settings
from api.services.answered import Observers
from api.services.api_keys import ApiKeys
from api.services.cache import ResponseCache
from api.services.callers import Permission, Tier, User
from api.services.circuit_breaker import CircuitBreaker
from api.services.content_filter.filter import ContentFilter, load_filter
from api.services.database import Database
from api.services.gateway import EMBEDDINGS, Gateway, is_outage, log_breaker_change
from api.services.health_checker import Check, HealthChecker, http_check
from api.services.limits.limiter import Limiter, settle_answer
from api.services.limits.setup import make_limiter
from api.services.llm_client import LLMClient
from api.services.llm_service import LLMService
from api.services.metrics import count_answer
from api.services.mlflow_exporter import MlflowExporter
from api.services.model_catalogue import ModelCatalogue
from api.services.outbox import Outbox
from api.services.routing.router import ModelRouter
from api.services.semantic_cache import LOOKUP_TIMEOUT, SemanticCache
from api.services.tokens import TokenService
from api.services.tracing import Tracer, trace_answer
from api.services.usage import UsageLedger
from api.services.users import Account, UserStore
from api.utils.http_client import HttpClient


@dataclass(frozen=True, slots=True)
class Services:
    users: UserStore
    api_keys: ApiKeys
    usage: UsageLedger
    tokens: TokenService
    breaker: CircuitBreaker
    cache: ResponseCache
    llm: LLMService
    limiter: Limiter
    content_filter: ContentFilter
    models: ModelRouter
    catalogue: ModelCatalogue
    stream_idle_timeout: float
    health: HealthChecker


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Make everything, without waiting for any dependency; close it in the reverse order."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(HttpClient(timeout=2.0))
        api_key = settings.litellm_api_key.get_secret_value()
        client = LLMClient(
            base_url=settings.litellm_url,
            api_key=api_key,
            connect_timeout=settings.llm_connect_timeout,
            read_timeout=max(settings.llm_deadline, settings.stream_idle_timeout),
        )
        stack.push_async_callback(client.close)
        exporter = None
        if settings.mlflow_tracking_uri is not None:
            exporter = MlflowExporter(
                http, tracking_uri=settings.mlflow_tracking_uri, experiment_id=settings.mlflow_experiment_id
            )
        tracer = Tracer(exporter.send if exporter else None, fallback=settings.trace_fallback_path)
        tracer.start()
        stack.push_async_callback(tracer.close)
        cache = ResponseCache(
            url=settings.qdrant_url, collection=settings.cache_collection, ttl=settings.cache_ttl
        )
        cache.start()
        stack.push_async_callback(cache.close)
        breaker = CircuitBreaker(
            is_failure=is_outage,
            threshold=settings.breaker_threshold,
            cooldown=settings.breaker_cooldown,
            on_change=log_breaker_change,
        )
        secret = settings.jwt_secret_key.get_secret_value()
        database = Database(
            settings.database_path
            if settings.database_url is None
            else settings.database_url.get_secret_value()
        )
        database.start()
        stack.push_async_callback(database.close)
        # The exam has its two users and no others, so that a login there never waits for a database.
        users = UserStore(_accounts(settings), None if settings.bootstrap_users is None else database)
        usage = UsageLedger(
            Outbox(settings.usage_outbox_path, max_bytes=settings.usage_outbox_max_bytes), database
        )
        usage.start()
        stack.push_async_callback(usage.close)
        limiter = make_limiter(settings, usage.spent_today)
        stack.push_async_callback(limiter.close)
        catalogue = ModelCatalogue(http, base_url=settings.litellm_url, api_key=api_key)
        stack.push_async_callback(catalogue.close)
        gateway = Gateway(
            client,
            breaker=breaker,
            deadline=settings.llm_deadline,
            idle=settings.stream_idle_timeout,
            label=catalogue.label,
        )
        semantic = open_semantic_cache(settings, client)
        if semantic is not None:
            stack.push_async_callback(semantic.close)
        observers = Observers(
            [
                partial(count_answer, label=catalogue.label),
                partial(trace_answer, tracer),
                usage.observe,
                settle_answer,
            ]
        )
        yield Services(
            users=users,
            api_keys=ApiKeys(database, users, secret=secret),
            usage=usage,
            tokens=TokenService(secret=secret, lifetime=settings.jwt_lifetime),
            breaker=breaker,
            cache=cache,
            llm=LLMService(gateway, cache=cache, observers=observers, semantic=semantic),
            catalogue=catalogue,
            stream_idle_timeout=settings.stream_idle_timeout,
            limiter=limiter,
            models=ModelRouter(settings.model_routes, settings.model_variants),
            content_filter=load_filter(settings.content_filters),
            health=HealthChecker(_checks(http, settings)),
        )


def open_semantic_cache(settings: Settings, client: LLMClient) -> SemanticCache | None:
    """The semantic cache, if the settings have rules for one; its store is imported only then."""
    if settings.semantic_cache is None:
        return None
    from api.services.vector_stores import open_store  # noqa: PLC0415  off by default

    async def embed(model: str, text: str) -> list[float]:
        deadline = asyncio.get_running_loop().time() + LOOKUP_TIMEOUT
        reply = await client.post(EMBEDDINGS, {"model": model, "input": text}, deadline=deadline)
        vector: list[float] = orjson.loads(reply.body)["data"][0]["embedding"]
        return vector

    store = open_store(
        settings.qdrant_url, collection=settings.semantic_cache_collection, timeout=LOOKUP_TIMEOUT
    )
    return SemanticCache(settings.semantic_cache, store, embed)


def _accounts(settings: Settings) -> Iterator[Account]:
    """The users that BOOTSTRAP_USERS names, or else the exam's two."""
    for named in settings.bootstrap_users or ():
        user = User(named.username, named.tier, named.permissions)
        yield Account(user, named.password.get_secret_value())
    if settings.bootstrap_users is None:
        everything = frozenset(Permission)
        for name, password, permissions in (
            ("admin", settings.auth_admin_password, everything),
            ("user", settings.auth_user_password, everything - {Permission.ADMIN}),
        ):
            assert password is not None  # the settings require them then
            yield Account(User(name, Tier.ENTERPRISE, permissions), password.get_secret_value())


def _checks(http: HttpClient, settings: Settings) -> dict[str, Check]:
    """What an answer rests on. The database is not among it: answers are given without."""
    urls = {
        "qdrant": settings.qdrant_url and f"{settings.qdrant_url}/readyz",
        # Not /health: that makes real calls to every model.
        "litellm": f"{settings.litellm_url}/health/liveliness",
        "mlflow": settings.mlflow_tracking_uri and f"{settings.mlflow_tracking_uri}/health",
    }
    return {name: http_check(http, url) for name, url in urls.items() if url is not None}
