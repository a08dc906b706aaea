"""Reads the pages of a repository: their sections, links and diagrams."""

import posixpath
import re
import urllib.parse
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
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^)\s>]+)>?[^)\n]*\)")
_IMAGE = re.compile(r"!\[[^\]\n]*\]\(<?([^)\s>]+)>?[^)\n]*\)|<img\s[^>\n]*?src=[\"']([^\"'\n]+)[\"']")
BLOCK = re.compile(r"^ {0,3}(```+|~~~+) *(\w*)[^\n]*\n(.*?)^ {0,3}\1", re.MULTILINE | re.DOTALL)
_DIAGRAMS = {"mermaid", "plantuml", "puml", "d2", "dot", "graphviz"}
_PLAIN = {"", "text", "txt", "plaintext", "plain", "ascii"}
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
        for title, text in _sections(file):
            if pattern.search(title) and _says(text):
                return file
    return None


def has_diagram(file: File, names: frozenset[str]) -> bool:
    """Whether a page has a mermaid block, an image that is there, or a drawing in a text block."""
    for _, language, text in BLOCK.findall(file.text):
        if language in _DIAGRAMS:
            return True
        if language in _PLAIN and sum(bool(_DRAWN.search(line)) for line in text.splitlines()) >= 3:
            return True
    images = ("".join(found) for found in _IMAGE.findall(file.text))
    return any(target(file, image) in names for image in images)


def links(file: File) -> Iterator[str]:
    """Yield the paths in the repository that a page links to."""
    for link in _LINK.findall(COMMENT.sub("", BLOCK.sub("", file.text))):
        if not re.match(r"[a-z][a-z0-9+.-]*:|#|//", link):
            yield link


def target(file: File, link: str) -> str:
    """Return the path that a link on a page stands for, from the repository's root."""
    path = urllib.parse.unquote(link.partition("#")[0].partition("?")[0])
    if path.startswith("/"):
        return posixpath.normpath(path.lstrip("/"))
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))


def _sections(file: File) -> Iterator[tuple[str, str]]:
    """Yield the sections of a page with all that is below them; the title of a README names the project, no section."""
    text = file.text
    found = list(_HEADING.finditer(BLOCK.sub(lambda block: " " * len(block[0]), text)))
    for place, heading in enumerate(found):
        level = len(heading[1])
        if level == 1 and posixpath.basename(file.path).upper() == "README.MD":
            continue
        end = next((one.start() for one in found[place + 1 :] if len(one[1]) <= level), len(text))
        yield heading[2], text[heading.end() : end]


def _says(text: str) -> bool:
    return len(COMMENT.sub("", text).split()) >= LEAST_WORDS
