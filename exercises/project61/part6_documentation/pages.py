"""Reads the pages of a repository: their sections, links and diagrams."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from chaos.history import File

TOPICS: Mapping[str, re.Pattern[str]] = {
    "API": re.compile(r"\bapi\b|\bendpoints?\b", re.IGNORECASE),
    "deployment": re.compile(r"\bdeploy", re.IGNORECASE),
    "architecture": re.compile(r"\barchitecture\b", re.IGNORECASE),
}
LEAST_WORDS = 80
"""A page with fewer tells nothing to whoever has to work with it."""

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^)\s>]+)>?[^)\n]*\)")
_IMAGE = re.compile(r"!\[[^\]\n]*\]\(<?([^)\s>]+)>?[^)\n]*\)")
BLOCK = re.compile(r"^ {0,3}(```+|~~~+) *(\w*)[^\n]*\n(.*?)^ {0,3}\1", re.MULTILINE | re.DOTALL)
_DRAWN = re.compile(r"[│┌└├─▼▲]|-->|->|\+--|\|")


def topic_page(files: Sequence[File], topic: str) -> File | None:
    """Return the page about a topic: by its name, or README.md with a section of that name; None where none says enough."""
    pattern = TOPICS[topic]
    for file in files:
        name = posixpath.basename(file.path).removesuffix(".md")
        if (
            name.upper() != "README"
            and pattern.search(name.replace("_", " ").replace("-", " "))
            and _says(file.text)
        ):
            return file
    for file in files:
        for title, text in _sections(file.text):
            if pattern.search(title) and _says(text):
                return file
    return None


def has_diagram(file: File, names: frozenset[str]) -> bool:
    """Whether a page has a mermaid block, an image that is there, or a drawing in a text block."""
    for _, language, text in BLOCK.findall(file.text):
        if language in {"mermaid", "plantuml", "d2", "dot"}:
            return True
        if language in {"", "text"} and sum(bool(_DRAWN.search(line)) for line in text.splitlines()) >= 3:
            return True
    return any(target(file, image) in names for image in _IMAGE.findall(file.text))


def links(file: File) -> Iterator[str]:
    """Yield the paths in the repository that a page links to."""
    for link in _LINK.findall(COMMENT.sub("", BLOCK.sub("", file.text))):
        if not re.match(r"[a-z][a-z0-9+.-]*:|#|//", link):
            yield link


def target(file: File, link: str) -> str:
    """Return the path that a link on a page stands for, from the repository's root."""
    path = link.partition("#")[0].partition("?")[0]
    if path.startswith("/"):
        return posixpath.normpath(path.lstrip("/"))
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    found = list(_HEADING.finditer(BLOCK.sub(lambda block: " " * len(block[0]), text)))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    for heading, end in zip(found, ends, strict=True):
        yield heading[1], text[heading.end() : end]


def _says(text: str) -> bool:
    return len(COMMENT.sub("", text).split()) >= LEAST_WORDS
