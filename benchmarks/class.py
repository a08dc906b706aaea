"""What a class costs: students an hour, and whether each has the verdicts that a single run gives.

    python benchmarks/class.py [--students N] [--jobs N] [--exercise N]... [--runtime process|sandbox|docker] [--no-single]
                               [--judged N]

The class is a mix of the exam's reference solution, its starter and half-solutions, each as a repository of its own. Then
each of them is graded once more, one at a time, and the verdicts are compared. Last, N copies of the class's results are
judged again by `grading rescore`.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from exercises import catalogue
from grading.calibrate.corpus import Corpus
from grading.classroom.runner import default_jobs

MIX = (
    "reference",
    "starter",
    "a_bit_of_everything",
    "config_health_logs",
    "core_first",
    "resilience_first",
    "flat_modules",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=default_jobs())
    parser.add_argument("--exercise", type=int, action="append", default=[])
    parser.add_argument("--runtime", default="process")
    parser.add_argument("--no-single", action="store_true")
    parser.add_argument("--judged", type=int, default=200)
    options = parser.parse_args()
    words = ["--runtime", options.runtime]
    words += [word for number in options.exercise for word in ("--exercise", str(number))]
    with tempfile.TemporaryDirectory(prefix="class-") as name:
        folder = Path(name)
        write_submissions(folder)
        grade(folder, "warm", MIX[:1], words, jobs=1)
        students = [MIX[number % len(MIX)] for number in range(options.students)]
        seconds = grade(folder, "class", students, words, jobs=options.jobs)
        print(
            f"{len(students)} students, {options.jobs} side by side on {os.cpu_count()} processors: {seconds:.0f} s,"
        )
        print(f"{3600 * len(students) / seconds:.0f} students an hour")
        if not options.no_single:
            kinds = MIX[: options.students]
            alone = grade(folder, "single", kinds, words, jobs=1)
            print(f"one at a time: {3600 * len(kinds) / alone:.0f} students an hour")
            compare(folder)
        if options.judged:
            seconds = judge_again(folder, options.judged)
            print(f"{options.judged} stored submissions judged again: {seconds:.0f} s")


def write_submissions(folder: Path) -> None:
    """Write each submission of the mix into a folder of its name."""
    assessment = catalogue.assessment()
    cases = {case.name: case for case in Corpus.of(assessment).cases()}
    for name in MIX:
        target = folder / "forks" / name
        if name == "starter":
            shutil.copytree(assessment.folder / "starter", target)
        else:
            target.mkdir(parents=True)
            cases[name].write(target)


def grade(folder: Path, run: str, names: Sequence[str], words: Sequence[str], *, jobs: int) -> float:
    """Grade a class of these submissions; returns the seconds that it took."""
    roster = folder / f"{run}.csv"
    with roster.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "repository"])
        writer.writerows([f"s{number}-{name}", name, f"forks/{name}"] for number, name in enumerate(names))
    command = [sys.executable, "-m", "grading", "class", str(roster), "--out", str(folder / "results" / run)]
    start = time.monotonic()
    ended = subprocess.run([*command, "--jobs", str(jobs), *words], check=False)  # noqa: S603 - our own program
    if ended.returncode not in {0, 3}:
        sys.exit(f"the class was not graded: exit code {ended.returncode}")
    return time.monotonic() - start


def judge_again(folder: Path, count: int) -> float:
    """Judge so many copies of the class's results again; returns the seconds that it took."""
    runs = sorted((folder / "results/class/students").glob("[!.]*"))
    copies = folder / "copies"
    for number in range(count):
        shutil.copytree(runs[number % len(runs)], copies / str(number), copy_function=os.link)
    command = [sys.executable, "-m", "grading", "rescore", str(copies), "--format", "json"]
    start = time.monotonic()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - our own program
    if ended.returncode not in {0, 1, 3}:
        sys.exit(f"the copies were not judged: exit code {ended.returncode}")
    return time.monotonic() - start


def compare(folder: Path) -> None:
    """Print the verdicts of the class that are not those of the single run, and how many are."""
    alone = {
        name.partition("-")[2]: verdicts for name, verdicts in verdicts_of(folder / "results/single").items()
    }
    counts: Counter[str] = Counter()
    for student, found in verdicts_of(folder / "results/class").items():
        for number, status in found.items():
            expected = alone[student.partition("-")[2]][number]
            counts["same" if status == expected else "different"] += 1
            if status != expected:
                print(f"{student} {number}: {status}, and {expected} alone")
    print(f"verdicts: {counts['same']} as in a single run, {counts['different']} not")


def verdicts_of(results: Path) -> dict[str, dict[str, str]]:
    """Return the verdicts of each student by criterion."""
    found = {}
    for path in (results / "students").glob("*/report.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        criteria = [one for exercise in report["exercises"] for one in exercise["criteria"]]
        found[path.parent.name] = {one["number"]: one["status"] for one in criteria}
    return found


if __name__ == "__main__":
    main()
