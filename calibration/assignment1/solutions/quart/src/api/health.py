"""The health endpoint."""

import httpx
from quart import Blueprint, Response, current_app

from src.api.chat import json_response

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
async def health() -> Response:
    gateway = current_app.extensions["gateway"]
    url = gateway.settings.openai_base_url.rstrip("/") + "/models"
    try:
        headers = {"Authorization": f"Bearer {gateway.settings.openai_api_key}"}
        up = (await gateway.client.get(url, headers=headers, timeout=3.0)).status_code == 200
    except httpx.HTTPError:
        up = False
    status = "up" if up else "down"
    return json_response({"status": "ok" if up else "degraded", "provider": status}, 200 if up else 503)
