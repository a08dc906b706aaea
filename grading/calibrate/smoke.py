"""What a smoke script would have seen of a submission: the way in which such exams are usually verified.

It asks whether the service is up, whether a request is answered with 200, and whether its log has the word "retry".
It is given the logs of all experiments, those with failures included.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from chaos.history import History, Log, Ready
from exercises.control import LABEL


class Smoke(BaseModel):
    """The three answers of a smoke script."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up: bool
    answered: bool
    says_retry: bool

    @property
    def satisfied(self) -> bool:
        return self.up and self.answered and self.says_retry


def smoke(histories: Mapping[str, History]) -> Smoke:
    """Return what a smoke script sees in the histories of a run."""
    own = [history.instance() for history in histories.values()]
    return Smoke(
        up=any(history.first(Ready) for history in own),
        answered=any(one.status == 200 for history in own for one in history.exchanges(LABEL)),
        says_retry=any("retry" in line.text.lower() for history in own for line in history.of(Log)),
    )
