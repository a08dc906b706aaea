"""The choice of a model."""

from fastapi import APIRouter

from src.models.requests import SelectionRequest
from src.models.responses import Selection
from src.services.selection import select

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.post("/select")
async def select_model(body: SelectionRequest) -> Selection:
    return select(body)
