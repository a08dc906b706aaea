"""GET /health"""

from litestar import Response, get
from litestar.datastructures import State

from src.config.settings import settings
from src.models.responses import Health


@get("/health")
async def health(state: State) -> Response[Health]:
    if state.monitor.up:
        return Response(Health("healthy", "reachable", settings.app_name))
    return Response(Health("unhealthy", "unreachable", settings.app_name), status_code=503)
