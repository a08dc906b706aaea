"""Reads what a Dockerfile makes of its image: who runs it, what is in its environment, and how its health is asked."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from exercises.project61.part5_deployment.secrets import is_in_clear
from lab.reading import as_json

_CONTINUED = re.compile(r"\\[ \t]*$")
_HEREDOC = re.compile(r"(?:^|\s)\d*<<-?([\"']?)(?P<end>[A-Za-z_]\w*)\1(?=$|[\s;|&>])")
_INSTRUCTION = re.compile(r"^\s*(?P<word>[A-Za-z]+)\s+(?P<rest>\S.*)$")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:=|\s+)(?P<value>\"[^\"]*\"|'[^']*'|\S+)")
_ARGUMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:=(?P<value>\"[^\"]*\"|'[^']*'|\S*))?")
_REFERENCE = re.compile(r"\$(?P<bare>\w+)|\$\{(?P<name>\w+)(?::(?P<sign>[-+])(?P<word>[^{}]*))?\}")
_ENV_FILES = tuple(
    f".env{ending}"
    for ending in (
        "",
        ".local",
        ".prod",
        ".production",
        ".docker",
        ".dev",
        ".development",
        ".secret",
        ".secrets",
    )
)
"""What files with the variables of an environment are called, in which secrets are."""
_CHECK = re.compile(r"(?:--\S+\s+)*CMD\s+(?P<command>.+)", re.IGNORECASE)
_LONGEST = 256
"""Of a value, in characters: values that refer to each other could double with every line."""
_MOST_CHARACTERS = 4_000
"""Of an instruction, in which here-documents are looked for."""
_MOST_VARIABLES = 200
"""Of an image; what comes after them counts as unknown."""
_ZERO = re.compile(r"0+")


@dataclass(frozen=True, slots=True)
class Image:
    """One stage of a Dockerfile with what it takes over from the stage that it begins with."""

    user: str = ""
    healthcheck: str = ""
    """The command that asks for its health; empty for none."""
    secrets: tuple[str, ...] = ()
    """What should not be in it, as it stands in the Dockerfile."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_roots(self) -> bool:
        """Whether it runs as root; an image whose Dockerfile does not say has root as its user, as far as can be told."""
        name = self.user.split(":")[0]
        return not name or name == "root" or bool(_ZERO.fullmatch(name))

    def expand(self, text: str) -> str:
        """Return a text with the values of the variables in it, as far as they are known."""
        return expand(text, self.environment, self.arguments)


def built(dockerfile: str, given: Mapping[str, str] | None = None, target: str = "") -> Image:
    """Return the image that a Dockerfile makes: of its last stage, or of the stage `target`.

    `given` are the build's arguments.
    """
    given = given or {}
    stages: dict[str, Image] = {}
    image, name = Image(), ""
    common: Mapping[str, str] | None = None
    for line in _lines(dockerfile):
        found = _INSTRUCTION.match(line)
        if found is None:
            continue
        word, rest = found["word"].upper(), found["rest"].strip()
        if word == "FROM" and (begun := _FROM.match(rest)):
            if target and name == target.lower():
                return image
            if common is None:
                common = image.arguments
            stages[name] = image
            base = expand(begun["image"], common)
            image = stages.get(base.lower()) or Image(_user_of(base))
            name = (begun["name"] or "").lower()
        else:
            image = _after(image, word, rest, given, common or {})
    return image


def _lines(dockerfile: str) -> Iterator[str]:
    """Yield the instructions, each on a line, without comments and here-documents."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    last = {line.strip(): place for place, line in enumerate(lines)}
    place = 0
    while place < len(lines):
        parts = [lines[place]]
        while _CONTINUED.search(parts[-1]) and place + 1 < len(lines):
            place += 1
            parts.append(lines[place])
        place += 1
        whole = " ".join(_CONTINUED.sub("", part) for part in parts)
        yield whole
        for document in _HEREDOC.finditer(whole[:_MOST_CHARACTERS]):
            if last.get(document["end"], -1) >= place:
                while lines[place].strip() != document["end"]:
                    place += 1
                place += 1


def expand(text: str, *variables: Mapping[str, str]) -> str:
    """Return a text with `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` replaced, as far as they are known.

    Of several mappings of variables, the first that has a value counts.
    """

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["name"]
        known = next((one[name] for one in variables if one.get(name)), "")
        if found["sign"] == "+":
            return found["word"] if known else ""
        return known or found["word"] or found[0]

    return _REFERENCE.sub(value, text[:_LONGEST])[:_LONGEST]


def _user_of(base: str) -> str:
    """Return the user that the tag of a base image names, as in `gcr.io/distroless/nodejs20-debian12:nonroot`."""
    tag = base.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "nonroot" if "nonroot" in tag else ""


def _after(image: Image, word: str, rest: str, given: Mapping[str, str], common: Mapping[str, str]) -> Image:
    """Return an image after one more instruction. `common` are the arguments that stand before the first stage."""
    match word:
        case "USER":
            return replace(image, user=image.expand(rest).strip("\"'"))
        case "HEALTHCHECK":
            check = _CHECK.match(rest)
            return replace(image, healthcheck=_plain(check["command"]) if check else "")
        case "ENV":
            assigned = {
                one["name"]: image.expand(one["value"].strip("\"'")) for one in _ASSIGNED.finditer(rest)
            }
            image = replace(image, environment=_more(image.environment, assigned))
            return _holding(image, _in_clear(word, rest))
        case "ARG":
            arguments = dict(_arguments(image, rest, given, common))
            image = replace(image, arguments=_more(image.arguments, arguments))
            return _holding(image, _in_clear(word, rest))
        case "COPY" | "ADD":
            return _holding(image, (f"{word} {one}" for one in _copied(rest) if _is_env_file(one)))
    return image


def _plain(command: str) -> str:
    """Return a command as one line, also of the exec form."""
    words = as_json(command)
    return " ".join(map(str, words)) if isinstance(words, list) else command.strip()


def _copied(rest: str) -> list[str]:
    """Return what COPY or ADD copies: all but its options and the destination, which is what a here-document becomes."""
    plain = re.sub(r"^(?:--\S+\s+)+", "", rest)
    words = as_json(plain)
    named = [str(word) for word in words] if isinstance(words, list) else plain.split()
    return named[-1:] if any(word.startswith("<<") for word in named[:-1]) else named[:-1]


def _is_env_file(name: str) -> bool:
    """Whether a name, which may have wildcards, stands for a file of variables other than an example."""
    last = name.rpartition("/")[2][:_LONGEST]
    return last.startswith(".e") and any(fnmatch.fnmatchcase(file, last) for file in _ENV_FILES)


def _arguments(
    image: Image, rest: str, given: Mapping[str, str], common: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for one in _ARGUMENT.finditer(rest):
        default = (
            common.get(one["name"], "") if one["value"] is None else image.expand(one["value"].strip("\"'"))
        )
        yield one["name"], given.get(one["name"], default)


def _more(known: Mapping[str, str], assigned: Mapping[str, str]) -> Mapping[str, str]:
    return known if len(known) > _MOST_VARIABLES else {**known, **assigned}


def _in_clear(word: str, rest: str) -> Iterator[str]:
    """Yield the instruction and the name for each secret to which it gives a value."""
    for one in _ASSIGNED.finditer(rest):
        if is_in_clear(one["name"], one["value"]):
            yield f"{word} {one['name']}"


def _holding(image: Image, secrets: Iterable[str]) -> Image:
    return replace(image, secrets=(*image.secrets, *secrets))
