"""What endpoints ask for."""

from typing import Annotated

from fastapi import Depends, Request

from src.services.container import Services


def get_services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(get_services)]


def limit_requests(request: Request, services: AppServices) -> None:
    """Count the request for the address of its connection. Raises RequestLimitError."""
    services.limiter.check(request.client.host if request.client else "unknown")
