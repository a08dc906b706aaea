"""A step that depends on the model: one model fails while another answers, whatever the order of their calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.llm.chat import Chat
from chaos.llm.steps import Outcome, Step, Turn


@dataclass(frozen=True, slots=True)
class ByModel:
    """Do what `steps` has for the model that the call asks for; `otherwise` for any other model.

    A history has the name of the chosen step.
    """

    steps: Mapping[str, Step]
    otherwise: Step
    name: str = field(default="by-model", init=False)

    def choose(self, chat: Chat) -> Step:
        """Return the step that a call meets."""
        return chosen(self.steps.get(chat.model, self.otherwise), chat)

    async def play(self, turn: Turn) -> Outcome:
        return await self.choose(turn.chat).play(turn)


def chosen(step: Step, chat: Chat) -> Step:
    """Return what `step` is for this call: itself, unless it depends on the model."""
    return step.choose(chat) if isinstance(step, ByModel) else step
