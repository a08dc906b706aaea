"""The health endpoint: the status of the service and of its provider."""

from fastapi import APIRouter, HTTPException

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> None:
    """Ask the provider for its list of models, with a short time limit. Answer 200 or 503."""
    raise HTTPException(status_code=501, detail="not implemented")
