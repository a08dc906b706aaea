"""The services of one running application, made at its start and closed at its end."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from api.config.settings import Settings
from api.services.cache import ResponseCache
from api.services.circuit_breaker import CircuitBreaker
from api.services.health_checker import HealthChecker, http_check
from api.services.llm_client import LLMClient
from api.services.llm_service import LLMService, is_outage, log_breaker_change
from api.services.mlflow_exporter import MlflowExporter
from api.services.tokens import TokenService
from api.services.tracing import Tracer
from api.services.users import UserStore


@dataclass(frozen=True, slots=True)
class Services:
    users: UserStore
    tokens: TokenService
    breaker: CircuitBreaker
    cache: ResponseCache
    llm: LLMService
    health: HealthChecker


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Make everything, without waiting for any dependency; close it in the reverse order."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=2.0))
        client = LLMClient(
            base_url=settings.litellm_url,
            api_key=settings.litellm_api_key.get_secret_value(),
            connect_timeout=settings.llm_connect_timeout,
            read_timeout=settings.llm_deadline,
        )
        stack.push_async_callback(client.close)
        exporter = MlflowExporter(
            http, tracking_uri=settings.mlflow_tracking_uri, experiment_id=settings.mlflow_experiment_id
        )
        tracer = Tracer(exporter.send, fallback=settings.trace_fallback_path)
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
        yield Services(
            users=UserStore(
                {
                    "admin": settings.auth_admin_password.get_secret_value(),
                    "user": settings.auth_user_password.get_secret_value(),
                }
            ),
            tokens=TokenService(
                secret=settings.jwt_secret_key.get_secret_value(), lifetime=settings.jwt_lifetime
            ),
            breaker=breaker,
            cache=cache,
            llm=LLMService(
                client, breaker=breaker, cache=cache, tracer=tracer, deadline=settings.llm_deadline
            ),
            health=HealthChecker(
                {
                    "qdrant": http_check(http, f"{settings.qdrant_url}/readyz"),
                    # Not /health: that makes real calls to every model.
                    "litellm": http_check(http, f"{settings.litellm_url}/health/liveliness"),
                    "mlflow": http_check(http, f"{settings.mlflow_tracking_uri}/health"),
                }
            ),
        )
