"""The experiment on a hanging model, which exercises 3 and 4 both ask about."""

from chaos.llm import Hang
from exercises.experiment import experiment
from exercises.lab import Lab

DEADLINE_SECONDS = 30.0
TOLERANCE_SECONDS = 5.0
PATIENCE_SECONDS = DEADLINE_SECONDS + TOLERANCE_SECONDS + 1
"""What the exam promises a client, what a loaded machine may add, and when the lab stops waiting."""


@experiment(seconds=DEADLINE_SECONDS)
async def hang(lab: Lab) -> None:
    """The model takes one request and never answers it."""
    key = lab.key()
    lab.llm.script(key, Hang())
    lab.phase("fault")
    await lab.generate(key, label="hanging", timeout=PATIENCE_SECONDS)
