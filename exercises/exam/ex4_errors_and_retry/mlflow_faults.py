"""What is wrong with MLflow for a while: it refuses, hangs, is slow, or answers with a 500."""

import contextlib
from collections.abc import AsyncIterator

from chaos.mlflow import MlflowStandIn
from lab.lab import Lab

MLFLOW = "mlflow"
LATENCY_SECONDS = 5.0
"""Longer than an answer may come later than usual."""


@contextlib.asynccontextmanager
async def on(lab: Lab, fault: str) -> AsyncIterator[None]:
    """Have one of the faults of MLflow's within the context."""
    stand_in = lab.upstreams.of(MlflowStandIn)
    match fault:
        case "refused":
            await lab.upstreams.outage(MLFLOW)
        case "hanging":
            await lab.upstreams.hang(MLFLOW)
        case "slow":
            await lab.upstreams.latency(MLFLOW, LATENCY_SECONDS)
        case _:
            stand_in.fail(500)
    yield
    stand_in.fail(None)
    await lab.upstreams.heal(MLFLOW)
