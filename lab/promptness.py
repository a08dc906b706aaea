"""Whether requests were answered within a second, on a machine that may have been busy with something else."""

from collections.abc import Sequence

from chaos.history import Exchange, History
from lab.reading import outcome
from lab.timing import disturbance, too_busy
from lab.verdict import Verdict, failed, passed

PROMPT_SECONDS = 1.0
SLOW_SAMPLES = 1
"""How many of the samples may be slow: one may meet a busy machine."""


def prompt(history: History, samples: Sequence[Exchange], expected: str) -> Verdict:
    """Judge that samples were answered in under a second; one that the lab's own stalls spoilt fails nothing."""
    slow = [one for one in samples if not one.end or one.end.elapsed >= PROMPT_SECONDS]
    clear = [one for one in slow if not disturbance(history, one)]
    if len(clear) > SLOW_SAMPLES:
        actual = f"{len(clear)} of {len(samples)} did not: {outcome(clear[0].end)}"
        return failed(expected, actual, clear[0].end)
    if len(slow) > SLOW_SAMPLES or len(slow) == len(samples):
        return too_busy("time the answers", slow[0].end)
    slowest = max(one.end.elapsed for one in samples if one.end and one not in slow)
    return passed(f"the slowest of {len(samples)} took {slowest:.2f} s", samples[-1].end)
