"""The documentation bonus: what a submission's IMPLEMENTATION.md says about each exercise (EXAM.md, scoring).

An exercise counts as documented when its section has the problem, the solution and commands that verify it: words
of the student's own under the first two, and at least one command, in a code block or between backticks.
"""

import re
from collections.abc import Iterable, Sequence

from lab.assessment import BonusRule, Read
from lab.exercise import Exercise
from lab.result import Bonus

WORDS = 6
"""How many words the shortest sentence has that can name a problem or a solution. The page says so."""

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BLOCK = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_MARK = re.compile(
    r"^(?:(?P<marks>#{1,6})\s+(?P<heading>.*)|\*\*(?P<bold>.+?)\*\*:?(?P<rest>.*))$", re.MULTILINE
)
_DEEPEST = 6
_PARTS = {
    "problem": ("problem", "issue"),
    "solution": ("solution", "fix", "change"),
    "verification": ("verif", "command", "test", "check"),
}


def bonus(read: Read, exercises: Sequence[Exercise], rule: BonusRule) -> Bonus:
    """Return the points for the exercises that the rule's file documents: all for all of them, a share for fewer."""
    text = read(rule.file)
    sections = _sections(_COMMENT.sub("", text or ""))
    missing = {one.number: _missing(sections.get(one.number)) for one in exercises}
    documented = [number for number, parts in missing.items() if not parts]
    points = rule.points * len(documented) / len(exercises) if exercises else 0
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, parts in missing.items():
        if parts:
            alike.setdefault(tuple(parts), []).append(number)
    lacking = "; ".join(_lacking(numbers, parts) for parts, numbers in alike.items())
    return Bonus(
        title=rule.title,
        points=round(points, 1),
        max_points=rule.points,
        missing=lacking if text else f"there is no {rule.file}",
    )


def _lacking(numbers: Sequence[int], parts: Iterable[str]) -> str:
    what = ", ".join(parts)
    if len(numbers) == 1:
        return f"exercise {numbers[0]} lacks {what}"
    return f"exercises {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} lack {what}"


def _sections(text: str) -> dict[int, str]:
    """Split a text at the headings that name an exercise, such as `## Exercise 3`; the number is the key."""
    headings = [
        (match, int(number.group(1)))
        for match in _HEADING.finditer(_without_blocks(text))
        if (number := re.search(r"\b(?:exercise|ex)\s*\.?\s*(\d)\b", match.group(2), re.IGNORECASE))
    ]
    ends = [match.start() for match, _ in headings[1:]] + [len(text)]
    sections: dict[int, str] = {}
    for (heading, exercise), end in zip(headings, ends, strict=False):
        sections[exercise] = sections.get(exercise, "") + text[heading.end() : end]
    return sections


def _missing(section: str | None) -> list[str]:
    if section is None:
        return ["its section"]
    missing = [f"the {part}" for part in ("problem", "solution") if len(_words(_part(section, part))) < WORDS]
    if not _commands(_part(section, "verification")):
        missing.append("commands that verify it")
    return missing


def _commands(text: str) -> list[str]:
    """Return the commands of a text: the lines of its code blocks without comments, and what is between backticks."""
    lines = [line.strip() for block in _BLOCK.finditer(text) for line in block.group(2).split("\n")]
    inline = [one.strip() for one in _INLINE.findall(_BLOCK.sub("", text))]
    return [one for one in lines + inline if one and not one.startswith("#")]


def _part(section: str, part: str) -> str:
    """Return what stands under the headings, or behind the bold words, that name a part, and below their headings."""
    marks = list(_MARK.finditer(_without_blocks(section)))
    found = []
    for place, mark in enumerate(marks):
        if _names(mark, part):
            ends = (later.start() for later in marks[place + 1 :] if _level(later) <= _level(mark))
            found.append((mark["rest"] or "") + section[mark.end() : next(ends, len(section))])
    return "\n".join(found)


def _names(mark: re.Match[str], part: str) -> bool:
    """Return whether a heading or bold words name a part."""
    name = (mark["heading"] or mark["bold"] or "").lower()
    return any(word in name for word in _PARTS[part])


def _level(mark: re.Match[str]) -> int:
    """Return how deep a heading is; bold words are deeper than all."""
    return len(mark["marks"]) if mark["marks"] else _DEEPEST + 1


def _without_blocks(text: str) -> str:
    """Return a text of the same length whose code blocks are blank: a shell's comment is no heading."""
    return _BLOCK.sub(lambda block: re.sub(r"[^\n]", " ", block.group()), text)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _BLOCK.sub("", text))
