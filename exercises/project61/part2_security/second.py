"""Whether a second instance ran beside the first."""

from chaos.history import Exited, History, Launched, Ready
from lab.lab import SECOND
from lab.reading import describe_exit
from lab.verdict import Verdict, failed


def no_second(history: History) -> Verdict | None:
    """Return why a history has no second instance; None if it has one."""
    second = history.instance(SECOND)
    if any(event.instance == SECOND for event in second.of(Ready)):
        return None
    exited = [event for event in second.of(Exited) if event.instance == SECOND]
    actual = f"it {describe_exit(exited[0])}" if exited and not exited[0].cause else "it did not answer"
    launched = [event for event in second.of(Launched) if event.instance == SECOND]
    return failed("a second instance starts beside the first", actual, *exited, *launched)
