"""Reads package.json, which says how a service of Node.js is started, built and tested."""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grading.errors import SubmissionError
from grading.submission import Submission, inside

FILE = "package.json"
MANAGERS = frozenset({"npm", "yarn", "pnpm"})
PROGRAMS = frozenset({"node", "tsx", "ts-node"})
"""Programs that run a script of the service's."""
WATCHERS = frozenset({"nodemon", "ts-node-dev", "tsnd", "node-dev", "concurrently"})
"""Programs for development, which start the service anew after each change, or several things at once."""

_OWN_WORDS = frozenset(
    {"install", "i", "ci", "add", "exec", "dlx", "init", "publish", "cache", "config", "prune", "rebuild"}
)
_SOURCES = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")
_WITH_VALUE = frozenset(
    {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}
)
_DEVELOPMENT = re.compile(r"--(watch|inspect|env-file)")
_LISTENS = re.compile(r"\.listen\(\s*(\d{2,5})\b")


@dataclass(frozen=True)
class Package:
    """The package.json of a folder, as far as starts need it."""

    folder: Path
    scripts: Mapping[str, str]
    main: str = ""


def read(submission: Submission, folder: Path) -> Package | None:
    """Return the package.json of `folder`, if there is one. Raises SubmissionError if it is not a JSON object."""
    text = submission.text(folder / FILE)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"{folder / FILE} is not valid JSON ({error}); correct it.") from error
    if not isinstance(content, dict):
        raise SubmissionError(f"{folder / FILE} is not a JSON object; correct it.")
    scripts, main = content.get("scripts"), content.get("main")
    return Package(
        folder,
        {name: text for name, text in scripts.items() if isinstance(text, str)}
        if isinstance(scripts, dict)
        else {},
        main if isinstance(main, str) else "",
    )


def folder_of(submission: Submission, folders: Iterable[Path]) -> Path | None:
    """Return the first of `folders` that has a package.json."""
    return next((folder for folder in folders if submission.has(folder / FILE)), None)


@dataclass(frozen=True)
class ScriptCall:
    """A command that runs a script of package.json: its name, its arguments, and another folder if it names one."""

    name: str
    arguments: tuple[str, ...] = ()
    prefix: str = "."


def script_call(words: Sequence[str]) -> ScriptCall | None:
    """Return what `npm start`, `npm run NAME`, `yarn NAME` or the like runs; None for any other command."""
    if not words or PurePosixPath(words[0]).name not in MANAGERS:
        return None
    prefix, rest = ".", list(words[1:])
    named: list[str] = []
    while rest and rest[0] != "--":
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in {"--prefix", "-C", "--dir", "--cwd"}:
            prefix = value if equals else rest.pop(0) if rest else "."
        elif not word.startswith("-") or len(named) > (named[:1] in (["run"], ["run-script"])):
            named.append(word)
    if named[:1] in (["run"], ["run-script"]):
        del named[0]
    elif named[:1] and (
        named[0] in _OWN_WORDS or (words[0] == "npm" and named[0] not in {"start", "test", "t"})
    ):
        return None
    if not named:
        return None
    name = "test" if named[0] == "t" else named[0]
    return ScriptCall(name, (*named[1:], *rest[1:]), prefix)


def installs(words: Sequence[str]) -> bool:
    """Whether a command installs what a package.json asks for. A bare `yarn` does."""
    if not words or PurePosixPath(words[0]).name not in MANAGERS or {"-g", "--global"} & set(words):
        return False
    named = [word for word in words[1:] if not word.startswith("-")]
    return named[:1] in (["install"], ["i"], ["ci"]) or (words[0] == "yarn" and not named)


def without_development(words: Sequence[str]) -> list[str]:
    """Return a command of Node without what only makes sense in development, and files of variables: no snapshot has one."""
    kept, rest = [words[0]], iter(words[1:])
    for word in rest:
        if not _DEVELOPMENT.match(word):
            kept.append(word)
        elif word.startswith("--watch-path") and "=" not in word:
            next(rest, None)
    return kept


def entry(words: Sequence[str]) -> str | None:
    """Return the script that a command of Node runs, as the command names it; None if it names none."""
    if PurePosixPath(words[0]).name not in PROGRAMS:
        return None
    rest = iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def entry_file(submission: Submission, folder: Path, name: str) -> Path | None:
    """Return the file that Node takes for the script `name`, started in `folder`; None if there is none."""
    package = read(submission, folder)
    names = [name, *(f"{name}{ending}" for ending in _SOURCES), posixpath.join(name, "index.js")]
    if posixpath.normpath(name) == "." and package and package.main:
        names.insert(0, package.main)
    for one in names:
        place = inside(folder / one)
        if place is not None and (submission.root / place).is_file():
            return place
    return None


def fixed_port(source: str) -> int | None:
    """Return the number in `app.listen(3000)`, if the source does not read PORT."""
    found = _LISTENS.search(source)
    return int(found[1]) if found and "PORT" not in source else None
