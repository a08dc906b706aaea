import time

import httpx

from api.config.settings import settings
from api.services.llm_client import Generation

client = httpx.Client(base_url=f"{settings.mlflow_tracking_uri}/api/2.0/mlflow", timeout=30)


def log_generation(username: str, prompt: str, generation: Generation, seconds: float) -> None:
    """Log a generation as a run in MLflow."""
    now = int(time.time() * 1000)
    created = client.post(
        "/runs/create",
        json={
            "experiment_id": settings.mlflow_experiment_id,
            "start_time": now,
            "run_name": "generate",
            "tags": [
                {"key": "user", "value": username},
                {"key": "prompt", "value": prompt[:5000]},
                {"key": "response", "value": generation.response[:5000]},
            ],
        },
    )
    created.raise_for_status()
    run_id = created.json()["run"]["info"]["run_id"]
    metrics = {
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "cost": generation.cost,
        "seconds": seconds,
    }
    client.post(
        "/runs/log-batch",
        json={
            "run_id": run_id,
            "params": [{"key": "model", "value": generation.model}],
            "metrics": [
                {"key": key, "value": value, "timestamp": now, "step": 0} for key, value in metrics.items()
            ],
        },
    ).raise_for_status()
    client.post(
        "/runs/update", json={"run_id": run_id, "status": "FINISHED", "end_time": int(time.time() * 1000)}
    ).raise_for_status()
