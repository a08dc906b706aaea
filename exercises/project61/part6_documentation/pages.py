"""Reads the pages of a repository: their sections, links and diagrams."""

import posixpath
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from chaos.history import File

TOPICS: Mapping[str, re.Pattern[str]] = {
    "API": re.compile(r"\bapi\b|\bendpoints?\b", re.IGNORECASE),
    "deployment": re.compile(r"\bdeploy", re.IGNORECASE),
    "architecture": re.compile(r"\barchitectur|\bdesign\b", re.IGNORECASE),
}
MOST_HEADINGS = 1_000
"""Of a page; sections after them are not looked at."""
LEAST_WORDS = 80
"""A page with fewer tells nothing to whoever has to work with it."""

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(?P<title>[^\s#>|-].*)\n(?P<line>=+|-+)[ \t]*$", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_PLACE = r"\((?:<([^>\n]{1,500})>|([^)\s<>]{1,500}+))[^)\n]{0,200}+\)"
_LINK = re.compile(rf"!?\[[^\]\n]{{0,500}}+\]{_PLACE}")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]\n^][^\]\n]{0,500}\]:[ \t]*<?([^\s<>]+)", re.MULTILINE)
_IMAGE = re.compile(
    rf"!\[[^\]\n]{{0,500}}+\]{_PLACE}|<(?:img|source)\s[^>]{{0,500}}?(?:src|srcset)=(?:[\"']([^\"'\n]+)[\"']|([^\s>\"']+))"
)
BLOCK = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+) *+\{?(\w*+)[^\n]*+\n(.*?)^[ \t]*\1", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"\.(?:svg|png|jpe?g|gif|webp)$", re.IGNORECASE)
_DIAGRAMS = {"mermaid", "plantuml", "puml", "d2", "dot", "graphviz"}
_PLAIN = {"", "text", "txt", "plaintext", "plain", "ascii"}
_DRAWN = re.compile(r"[│┌└├─▼▲║╔╚═→←]|-->|->|\+--|\|")
_BOX = re.compile(r"[┌└╔╚▼▲→←─]|->|<-|\+--")
"""What a drawing has and a pipeline of commands has not."""
_LISTED = re.compile(r"^[ \t│|]*[├└+|`][^\w\n]{0,20}[\w.@-]{0,100}(?:/|\.\w)", re.MULTILINE)
"""A file in a tree of folders."""
_ARROW = re.compile(r"->|<-|[→←▼▲]")


def topic_page(files: Sequence[File], topic: str) -> File | None:
    """Return the page about a topic: by its name, or README.md with a section of that name; None where none says enough."""
    pattern = TOPICS[topic]
    for file in files:
        name = re.sub(r"^docs/|\.md$", "", file.path)
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
        if language in _PLAIN and _is_drawing(text):
            return True
    images = ["".join(found) for found in _IMAGE.findall(file.text)]
    images += [found for found in _REFERENCE.findall(file.text) if _PICTURE.search(found)]
    return any(target(file, image) in names for image in images)


def _is_drawing(text: str) -> bool:
    """Whether a text is drawn of lines and arrows, and is no list of files."""
    drawn = sum(bool(_DRAWN.search(line)) for line in text.splitlines())
    return drawn >= 3 and bool(_BOX.search(text)) and bool(not _LISTED.search(text) or _ARROW.search(text))


def links(file: File) -> Iterator[str]:
    """Yield the paths in the repository that a page links to."""
    plain = _CODE.sub("", COMMENT.sub("", BLOCK.sub("", file.text)))
    for link in ("".join(found) for found in _LINK.findall(plain)):
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|#|//", link):
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
    found = sorted(
        islice(_headings(BLOCK.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)), MOST_HEADINGS)
    )
    for place, (_, end, level, title) in enumerate(found):
        if level == 1 and posixpath.basename(file.path).upper() == "README.MD":
            continue
        following = (begin for begin, _, other, _ in found[place + 1 :] if other <= level)
        yield title, text[end : next(following, len(text))]


def _headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Yield where each heading begins and ends, its level, and its title."""
    for heading in _HEADING.finditer(text):
        yield heading.start(), heading.end(), len(heading[1]), heading[2]
    for heading in _UNDERLINED.finditer(text):
        yield heading.start(), heading.end(), 1 if heading["line"][0] == "=" else 2, heading["title"]


def _says(text: str) -> bool:
    return len(COMMENT.sub("", text).split()) >= LEAST_WORDS
