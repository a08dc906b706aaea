"""The experiment on a hanging model, which exercises 3 and 4 both ask about."""

from chaos.llm import Hang
from exercises.exam.promises import DEADLINE_SECONDS, PATIENCE_SECONDS
from lab.experiment import experiment
from lab.lab import Lab


@experiment(seconds=DEADLINE_SECONDS)
async def hang(lab: Lab) -> None:
    """The model takes one request and never answers it."""
    key = lab.key()
    lab.llm.script(key, Hang())
    lab.phase("fault")
    await lab.generate(key, label="hanging", timeout=PATIENCE_SECONDS)
