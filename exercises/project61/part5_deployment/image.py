"""Reads what a Dockerfile makes of its image: who runs it, what is in its environment, and how its health is asked."""

import re
from dataclasses import dataclass, field

from exercises.project61.part5_deployment.secrets import is_in_clear

_CONTINUED = re.compile(r"\\[ \t]*\n")
_INSTRUCTION = re.compile(r"^\s*(?P<word>[A-Za-z]+)\s+(?P<rest>\S.*)$")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:=|\s+)(?P<value>\"[^\"]*\"|'[^']*'|\S+)")
_ENV_FILE = re.compile(r"(?:^|[\s\"'/])\.env(?:$|[\s\"',])")
ROOT = {"root", "0"}


@dataclass(frozen=True, slots=True)
class Image:
    """One stage of a Dockerfile with what it takes over from the stage that it begins with."""

    user: str = ""
    healthcheck: str = ""
    secrets: tuple[str, ...] = field(default=())
    """What should not be in it, as it stands in the Dockerfile."""

    @property
    def is_roots(self) -> bool:
        """Whether it runs as root; an image whose Dockerfile does not say has root as its user, as far as can be told."""
        return not self.user or self.user.split(":")[0] in ROOT


def last_stage(dockerfile: str) -> Image:
    """Return the image that a Dockerfile makes where no target is named."""
    stages: dict[str, Image] = {}
    image, name = Image(), ""
    for line in _CONTINUED.sub(" ", dockerfile).splitlines():
        found = _INSTRUCTION.match(line)
        if found is None:
            continue
        word, rest = found["word"].upper(), found["rest"].strip()
        if word == "FROM" and (begun := _FROM.match(rest)):
            stages[name] = image
            image = stages.get(begun["image"].lower()) or Image(_user_of(begun["image"]))
            name = (begun["name"] or "").lower()
        else:
            image = _after(image, word, rest)
    return image


def _user_of(base: str) -> str:
    """Return the user that the tag of a base image names, as in `gcr.io/distroless/nodejs20-debian12:nonroot`."""
    tag = base.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "nonroot" if "nonroot" in tag else ""


def _after(image: Image, word: str, rest: str) -> Image:
    """Return an image after one more instruction."""
    match word:
        case "USER":
            return Image(rest, image.healthcheck, image.secrets)
        case "HEALTHCHECK":
            return Image(image.user, "" if rest.upper() == "NONE" else rest, image.secrets)
        case "ENV" | "ARG":
            named = [
                found["name"]
                for found in _ASSIGNED.finditer(rest)
                if is_in_clear(found["name"], found["value"])
            ]
            return Image(
                image.user, image.healthcheck, (*image.secrets, *(f"{word} {name}" for name in named))
            )
        case "COPY" | "ADD" if _ENV_FILE.search(rest):
            return Image(image.user, image.healthcheck, (*image.secrets, f"{word} .env"))
    return image
