"""What a smoke script would have seen of a submission: the way in which such exams are usually verified.

It asks whether the service is up, whether a request is answered with 200, and whether its log has the word "retry".
It is given the logs of all experiments of a run; where the model failed in none of them, it cannot tell.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from chaos.history import History, Log, Ready, UpstreamCall
from lab.control import LABEL


class Smoke(BaseModel):
    """The three answers of a smoke script; `says_retry` is None where the model was never made to fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up: bool
    answered: bool
    says_retry: bool | None

    @property
    def satisfied(self) -> bool | None:
        """Whether the script finds nothing wrong; None where it cannot tell."""
        return self.says_retry if self.up and self.answered else False


def smoke(histories: Mapping[str, History]) -> Smoke:
    """Return what a smoke script sees in the histories of a run."""
    own = [history.instance() for history in histories.values()]
    failing = any(_failed(call) for history in own for call in history.calls())
    says_retry = any("retry" in line.text.lower() for history in own for line in history.of(Log))
    return Smoke(
        up=any(history.first(Ready) for history in own),
        answered=any(one.status == 200 for history in own for one in history.exchanges(LABEL)),
        says_retry=says_retry if failing else None,
    )


def _failed(call: UpstreamCall) -> bool:
    reply = call.reply
    return reply is not None and (reply.outcome == "broken" or (reply.status or 0) >= 500)
