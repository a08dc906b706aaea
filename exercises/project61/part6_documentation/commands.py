"""Reads the shell blocks of a page: which make targets, npm scripts and files of the repository their commands need."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from exercises.project61.part6_documentation.pages import BLOCK, COMMENT
from lab.lab import TOOLS_FOLDERS

Kind = Literal["make target", "npm script", "file"]

_SHELL = {"sh", "bash", "shell", "console", "zsh"}
_ENDS = {"&&", "||", ";", "|", "&"}
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_NAME = re.compile(r"[\w./-]*[\w-]\.[\w-]+")
"""A file: what has no ending may be a folder, a service or an image."""
_FOLDER = re.compile(r"[\w-]+(?:/[\w.-]+)*")

OPTIONS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("docker", "compose"): frozenset({"-f", "--file"}),
    ("docker-compose",): frozenset({"-f", "--file"}),
    ("docker", "build"): frozenset({"-f", "--file"}),
    ("kubectl", "apply"): frozenset({"-f", "--filename", "-k", "--kustomize"}),
    ("make",): frozenset({"-f", "--file", "--makefile"}),
    ("pip", "install"): frozenset({"-r", "--requirement"}),
    ("uv", "pip", "install"): frozenset({"-r", "--requirement"}),
}
"""Options of programs that name a file which has to be there. The same letters mean other things to curl, grep or tail."""
_PLACEHOLDER = re.compile(r"^(?:/?path/to|your|my)[-/_]")
"""Begins what a reader replaces."""
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<end>[A-Za-z_]\w*)\1")
_SCRIPTS_ELSEWHERE = {"--prefix", "-w", "--workspace", "-C"}
"""With these, npm reads another package.json than the root's."""
_FOLDERS = {"-k", "--kustomize"}
"""Options whose value is a folder, whatever its name."""
_ELSEWHERE = {"-f", "--file", "--makefile", "-C", "--directory"}
"""With these, make reads another file than the Makefile in the root."""
_MAKE_VALUES = {"-o", "-W", "-I", "-E", "-j", "-l"}


@dataclass(frozen=True, slots=True)
class Needed:
    """What a command needs from the repository."""

    kind: Kind
    name: str


def needed(page: str) -> Iterator[Needed]:
    """Yield what the commands of a page need, as far as it can be told.

    Nothing is told of what follows a `cd` in the same block, or of a file that an earlier command names: that one may
    make it.
    """
    mentioned: set[str] = set()
    for _, language, block in BLOCK.findall(COMMENT.sub("", page)):
        if language not in _SHELL:
            continue
        for words in _commands(block):
            if words[0] in {"cd", "pushd"}:
                break
            for one in _of_command(words):
                if one.kind != "file" or not _is_made(one.name, mentioned):
                    yield one
            mentioned |= {word.removeprefix("./").rstrip("/") for word in words}


def _is_made(path: str, mentioned: Collection[str]) -> bool:
    """Whether an earlier command names a file or a folder around it, or tools make that folder."""
    around = path.split("/")
    return around[0] in TOOLS_FOLDERS or any(
        "/".join(around[:depth]) in mentioned for depth in range(1, len(around) + 1)
    )


def _lines(block: str) -> Iterator[str]:
    """Yield the lines that are typed: without output, if some have a prompt, and without here-documents."""
    lines = re.sub(r"\\\n", " ", block).splitlines()
    prompted = [line for line in lines if line.lstrip().startswith("$ ")]
    ends_at = ""
    for line in prompted or lines:
        if ends_at:
            ends_at = "" if line.strip() == ends_at else ends_at
            continue
        yield line.strip().removeprefix("$ ")
        if found := _HEREDOC.search(line):
            ends_at = found["end"]


def _commands(block: str) -> Iterator[list[str]]:
    for told in _lines(block):
        lexer = shlex.shlex(told, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue  # a quotation over several lines
        command: list[str] = []
        for word in [*words, ";"]:
            if word.startswith(("<", ">")):
                # The number before it is a stream, not an argument.
                command = command[:-1] if command and command[-1].isdecimal() else command
            if word not in _ENDS:
                command.append(word)
                continue
            while command and (_ASSIGNED.match(command[0]) or command[0] == "sudo"):
                del command[0]
            if command:
                yield command
            command = []


def _of_command(words: Sequence[str]) -> Iterator[Needed]:
    if words[0] == "make":
        yield from (Needed("make target", target) for target in _targets(words[1:]))
    if tuple(words[:2]) == ("npm", "run") and not _SCRIPTS_ELSEWHERE.intersection(
        word.partition("=")[0] for word in words
    ):
        named = (word for word in words[2:] if not word.startswith("-"))
        yield from (Needed("npm script", name) for name in islice(named, 1))
    if words[0].startswith("./"):
        yield from _file(words[0])
    if words[0] in {"sh", "bash"} and len(words) > 1 and words[1].endswith(".sh"):
        yield from _file(words[1])
    for program, options in OPTIONS.items():
        if tuple(words[: len(program)]) == program:
            for word, following in pairwise([*words, ""]):
                option, equals, joined = word.partition("=")
                if option in options:
                    value = joined if equals else following
                    yield from _folder(value) if option in _FOLDERS else _file(value)


def _targets(words: Sequence[str]) -> Iterator[str]:
    """Yield the targets that make is asked for, in the root's Makefile."""
    if _ELSEWHERE.intersection(word.partition("=")[0] for word in words):
        return
    skipped = False
    for word in words:
        if skipped or word.startswith("-") or _ASSIGNED.match(word):
            skipped = word in _MAKE_VALUES
        elif re.fullmatch(r"[\w.:-]+", word):
            yield word
        else:
            return


def _file(word: str) -> Iterator[Needed]:
    path = word.removeprefix("./").rstrip("/")
    if _PLACEHOLDER.search(path):
        return
    if word.startswith("./") or _NAME.fullmatch(path):
        yield Needed("file", path)
    elif word.endswith("/"):
        yield from _folder(word)


def _folder(word: str) -> Iterator[Needed]:
    """Yield a folder of the repository; addresses such as github.com/a/b, and places around it, are none of it."""
    path = word.removeprefix("./").rstrip("/")
    if _FOLDER.fullmatch(path):
        yield Needed("file", path)
