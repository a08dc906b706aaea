"""The choice of a model."""

from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.post("/select")
async def select_model() -> None:
    """Take tier, task and latency budget. Answer a model, its profile and the reason."""
    raise HTTPException(status_code=501, detail="not implemented")
