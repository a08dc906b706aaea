"""How much code two submissions share: a hint to look at both, and never a verdict.

Python files are cut into tokens with their names, numbers and strings made alike, and winnowed: of each window of hashes
over `GRAM` tokens, the least is kept (Schleimer, Wilkerson, Aiken: Winnowing, 2003). Every passage of at least
`GRAM + WINDOW - 1` equal tokens has a hash in common, whatever it has been renamed to and wherever it has moved.

What everybody was given is left out: the starter, and passages that more than half of a class share.
"""

import io
import json
import keyword
import tokenize
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from typing import Final

from grading.bounded import FILES_SECONDS, OverBoundsError, bounded
from grading.errors import GradingError

FINGERPRINTS: Final = "fingerprints.json"
GRAM: Final = 16
WINDOW: Final = 8
LEAST: Final = 20
"""Fingerprints of its own that a submission needs to be compared: with fewer, chance decides."""
NOTABLE: Final = 0.4
"""Share of the smaller submission from which a pair is told."""
MOST_PAIRS: Final = 50
MOST_FILES: Final = 2000
MOST_BYTES: Final = 400_000
MOST_FINGERPRINTS: Final = 60_000
COMMON_OF: Final = 6
"""Submissions from which on what more than half of them share is taken for common."""
_GRADER: Final = frozenset({"chaos", "exercises", "grading", "lab"})
"""Folders of a hand-out that hold the grader."""
_SKIPPED: Final = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}
)

Fingerprints = Mapping[str, Sequence[int]]
"""The fingerprints of each file, by its path."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two submissions. `share` of the smaller one's own fingerprints are in the other; `files` have most of them."""

    first: str
    second: str
    share: float
    shared: int
    files: tuple[tuple[str, str], ...]


def fingerprints(root: Path) -> Fingerprints:
    """Return the fingerprints of the Python files in a folder; none where they cannot be read within bounds."""
    try:
        return bounded(lambda: dict(_of_folder(root)), seconds=FILES_SECONDS)
    except (OverBoundsError, GradingError):
        return {}


def dump(found: Fingerprints, path: Path) -> None:
    """Write fingerprints to a file. Raises OSError where that fails."""
    path.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")


def load(path: Path) -> Fingerprints:
    """Read what `dump` wrote; none where there is no such file."""
    try:
        found: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def similar_pairs(submissions: Mapping[str, Fingerprints], given: Fingerprints) -> list[Pair]:
    """Return the pairs of submissions that share a notable part of their own code, the most alike first.

    `given` are the fingerprints of what everybody was given.
    """
    wholes = {name: {one for file in files.values() for one in file} for name, files in submissions.items()}
    left_out = {one for file in given.values() for one in file} | _common(wholes.values())
    own = {name: whole - left_out for name, whole in wholes.items() if len(whole - left_out) >= LEAST}
    found = []
    for first, second in combinations(sorted(own), 2):
        shared = own[first] & own[second]
        share = len(shared) / min(len(own[first]), len(own[second]))
        if share >= NOTABLE:
            files = _files(submissions[first], submissions[second], shared)
            found.append(Pair(first, second, share, len(shared), tuple(files)))
    return sorted(found, key=lambda pair: -pair.share)[:MOST_PAIRS]


def _common(wholes: Collection[set[int]]) -> set[int]:
    if len(wholes) < COMMON_OF:
        return set()
    counts = Counter(one for whole in wholes for one in whole)
    return {one for one, count in counts.items() if count > len(wholes) / 2}


def _files(
    first: Fingerprints, second: Fingerprints, shared: set[int], most: int = 3
) -> Iterator[tuple[str, str]]:
    """Yield the files of the first that share most, each with the file of the second that it shares most with."""
    ours = Counter({path: len(shared.intersection(values)) for path, values in first.items()})
    for path, count in ours.most_common(most):
        if count:
            here = shared.intersection(first[path])
            yield path, max(second, key=lambda other: len(here.intersection(second[other])))


def _of_folder(root: Path) -> Iterator[tuple[str, list[int]]]:
    total = 0
    for path in sorted(root.rglob("*.py"))[:MOST_FILES]:
        name = path.relative_to(root)
        if name.parts[0] in _GRADER or path.is_symlink() or path.stat().st_size > MOST_BYTES:
            continue
        found = sorted(set(winnow(list(_tokens(path.read_text(encoding="utf-8", errors="replace"))))))
        total += len(found)
        if total > MOST_FINGERPRINTS:
            return
        if found:
            yield str(name), found


def winnow(tokens: Sequence[str]) -> Iterator[int]:
    """Yield the fingerprints of a sequence of tokens."""
    hashes = [_hash(tokens[start : start + GRAM]) for start in range(len(tokens) - GRAM + 1)]
    if 0 < len(hashes) < WINDOW:
        yield min(hashes)
    least: deque[int] = deque()  # places of hashes, each less than all that come after it
    for place, value in enumerate(hashes):
        while least and hashes[least[-1]] >= value:
            least.pop()
        least.append(place)
        if least[0] <= place - WINDOW:
            least.popleft()
        if place >= WINDOW - 1:
            yield hashes[least[0]]


def _hash(gram: Sequence[str]) -> int:
    return int.from_bytes(blake2b("\0".join(gram).encode("utf-8", "replace"), digest_size=6).digest())


def _tokens(source: str) -> Iterator[str]:
    """Yield the tokens of a source, up to what is no Python in it."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in _SKIPPED:
                continue
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                yield "name"
            elif token.type in {tokenize.INDENT, tokenize.DEDENT, tokenize.NUMBER, tokenize.STRING}:
                yield tokenize.tok_name[token.type]
            else:
                yield token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return
