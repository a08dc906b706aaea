"""The mutants of a plan: faults that compile, no two of them alike, each with a name of its own."""

import ast
import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grading.calibrate.generated.plan import Plan, stem
from grading.calibrate.generated.source import Fault, matches


@dataclass(slots=True)
class Mutant:
    """One fault of the reference solution: `text` is all of the `file`. `equivalent` says why it breaks no promise."""

    name: str
    file: str
    text: str
    story: str
    exercises: set[int] = field(default_factory=set)
    equivalent: str = ""


def mutants(plan: Plan, root: Path) -> list[Mutant]:
    """Return the mutants of the solution in `root`, always the same ones in the same order."""
    found: dict[tuple[str, str], Mutant] = {}
    seen: Counter[str] = Counter()
    originals: dict[str, tuple[str, str | None]] = {}
    for asked, file, fault in plan.faults(root):
        if file not in originals:
            text = (root / file).read_text(encoding="utf-8")
            originals[file] = text, _meaning(file, text)
        original, unchanged = originals[file]
        meaning = _meaning(file, fault.text)
        if meaning is None or meaning == unchanged:
            continue
        mutant = found.get((file, meaning))
        if mutant is None:
            name = _name(file, fault)
            seen[name] += 1
            name += f".{seen[name]}" if seen[name] > 1 else ""
            mutant = Mutant(name, file, fault.text, story(original, fault.text))
            found[file, meaning] = mutant
        mutant.exercises |= asked.exercises
    for mutant in found.values():
        whys = [one.why for one in plan.equivalent if matches(mutant.name, (one.name,))]
        mutant.equivalent = whys[0] if whys else ""
    return list(found.values())


def story(old: str, new: str) -> str:
    """Return the lines that differ, `-` and `+` before them."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _name(file: str, fault: Fault) -> str:
    return ".".join(filter(None, (stem(file), fault.scope, fault.what)))


def _meaning(file: str, text: str) -> str | None:
    """Return what two texts that say the same have in common; None for what is no Python and should be."""
    if not file.endswith(".py"):
        return text
    try:
        tree = ast.parse(text)
        compile(tree, file, "exec")
    except SyntaxError:
        return None
    return ast.dump(tree)


def unused(plan: Plan, root: Path) -> Iterator[str]:
    """Yield the parts of a plan that fit nothing in the solution: it has outgrown them."""
    names = [mutant.name for mutant in mutants(plan, root)]
    for target in plan.targets:
        if not any(target.faults(root)):
            yield f"target {target.file} {target.where}"
    for rule in plan.rules:
        if not any(rule.faults(root)):
            yield f"rule {rule.name}"
    for one in plan.equivalent:
        if not any(matches(name, (one.name,)) for name in names):
            yield f"equivalent {one.name}"
