"""What endpoints ask for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from src.services.limits import SlidingWindow
from src.services.llm import LLMService


@dataclass(frozen=True, slots=True)
class Services:
    """One of each, for the life of the application."""

    llm: LLMService
    limiter: SlidingWindow


def get_services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(get_services)]


def limit_requests(request: Request, services: AppServices) -> None:
    """Count the request for the address of its connection. Raises RequestLimitError."""
    services.limiter.check(request.client.host if request.client else "unknown")
