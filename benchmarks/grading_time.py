"""What a grading run costs: wall time against the sum of the experiments' waits, CPU seconds, peak memory.

    python benchmarks/grading_time.py [--repository PATH] [--runs N] [--exercise N]... [--runtime process|docker]

Each run is a whole `grading score` in a process of its own, after one that is not counted and installs what is
missing. Memory is the sum of the resident sets of all processes of the run, sampled five times a second (Linux). What runs in
containers is the engine's, and counts neither as CPU seconds nor as memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from chaos.history import Ended, History, Ready

SAMPLE_SECONDS = 0.2
PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Cost:
    """One run: seconds but for `memory`, which is bytes, and `experiments`, a number."""

    wall: float
    waits: float
    longest: float
    experiments: int
    cpu: float
    memory: int
    points: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repository", default=".")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--exercise", type=int, action="append", default=[])
    parser.add_argument("--runtime", default="process")
    options = parser.parse_args()
    words = [
        options.repository,
        "--runtime",
        options.runtime,
        *(word for number in options.exercise for word in ("--exercise", str(number))),
    ]
    measure(words)
    costs = [measure(words) for _ in range(options.runs)]
    print(f"grading score {' '.join(words)}: {options.runs} runs on {os.cpu_count()} processors")
    print(f"{'':24}{'min':>9}{'median':>9}{'max':>9}")
    for name, values in {
        "wall time, s": [cost.wall for cost in costs],
        "sum of waits, s": [cost.waits for cost in costs],
        "longest wait, s": [cost.longest for cost in costs],
        "wall / sum of waits": [cost.wall / cost.waits for cost in costs],
        "CPU, s": [cost.cpu for cost in costs],
        "peak memory, MiB": [cost.memory / 2**20 for cost in costs],
    }.items():
        print(f"{name:24}{min(values):9.2f}{median(values):9.2f}{max(values):9.2f}")
    print(f"{costs[0].experiments} experiments; points: {', '.join(cost.points for cost in costs)}")


def measure(words: list[str]) -> Cost:
    """Run the grader once."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "grading", "score", *words, "--format", "json", "--out", folder]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
            sampler = Sampler(process.pid)
            sampler.start()
            output, _ = process.communicate()
            sampler.stop()
        wall = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        [report] = json.loads(output)
        waits = [wait(History.load(path)) for path in Path(folder).rglob("*.jsonl")]
    return Cost(
        wall=wall,
        waits=sum(waits),
        longest=max(waits),
        experiments=len(waits),
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        memory=sampler.peak,
        points=f"{report['points']:g}/{report['max_points']}",
    )


def wait(history: History) -> float:
    """Return how long an experiment took once its service was up."""
    ready, ended = history.first(Ready), history.first(Ended)
    return ended.t - ready.t if ready and ended else 0.0


class Sampler(threading.Thread):
    """Watches the resident memory of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, tree_memory(self._pid))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def tree_memory(pid: int) -> int:
    """Return the resident bytes of a process and its descendants; 0 for one that is gone."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    except OSError:
        return 0
    return own + sum(map(tree_memory, children))


if __name__ == "__main__":
    main()
