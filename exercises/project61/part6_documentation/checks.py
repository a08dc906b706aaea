"""The checks of the documentation."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from chaos.history import File, History, Tree
from exercises.project61.part6_documentation import pages as read
from exercises.project61.part6_documentation.commands import Needed, needed
from lab.reading import as_json, outcome
from lab.verdict import Verdict, failed, passed

OPERATIONS = (
    ("post", "/v1/chat/completions"),
    ("post", "/v1/embeddings"),
    ("get", "/v1/models"),
    ("post", "/auth/login"),
    ("post", "/v1/api-keys"),
    ("get", "/v1/usage"),
    ("get", "/health"),
)
SCHEMES = {"http", "apiKey", "oauth2", "openIdConnect"}
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""In the order in which make looks for them."""
SHOWN = 4


def openapi_lists_the_endpoints(openapi: History) -> Verdict:
    path = openapi.contract.endpoints["openapi"]
    expected = f"GET {path} answers an OpenAPI description with all endpoints and a security scheme"
    asked = openapi.exchanges("openapi")
    end = asked[-1].end if asked else None
    if not asked or asked[-1].status != 200 or asked[-1].answer is None:
        return failed(expected, outcome(end), end)
    try:
        content: Any = json.loads(asked[-1].answer.body)
    except (ValueError, RecursionError):
        return failed(expected, "it is no JSON", end)
    described = _table(_table(content).get("paths"))
    missing = [
        f"{method.upper()} {path}" for method, path in OPERATIONS if method not in _table(described.get(path))
    ]
    if missing:
        return failed(expected, f"not listed: {', '.join(missing[:SHOWN])}", end)
    schemes = _table(_table(_table(content).get("components")).get("securitySchemes"))
    if not any(_table(one).get("type") in SCHEMES for one in schemes.values()):
        return failed(expected, "components.securitySchemes is empty", end)
    chat = _table(_table(described["/v1/chat/completions"])["post"])
    # What an operation says replaces what the whole description says, even if it is nothing.
    required = chat.get("security", _table(content).get("security"))
    named = {name for one in (required if isinstance(required, list) else ()) for name in _table(one)}
    if not named.intersection(schemes):
        return failed(expected, "POST /v1/chat/completions names no security scheme", end)
    return passed(f"{len(described)} paths and {len(schemes)} security schemes", end)


def pages_are_there(pages: History) -> Verdict:
    expected = f"pages on {', '.join(read.TOPICS)} beside README.md, with a diagram"
    files = _pages(pages)
    readme = next((file for file in files if file.path.upper() == "README.MD"), None)
    if readme is None:
        return failed(expected, "there is no README.md")
    found = {topic: read.topic_page(files, topic) for topic in read.TOPICS}
    if missing := [topic for topic, file in found.items() if file is None]:
        return failed(expected, f"nothing, or too little, on {', '.join(missing)}", readme)
    if not any(read.has_diagram(file, _paths(pages)) for file in files):
        return failed(expected, "there is no diagram on any page", readme)
    return passed(", ".join(f"{topic}: {file.path}" for topic, file in found.items() if file), readme)


def pages_are_true(pages: History) -> Verdict:
    expected = "what the pages name is in the repository"
    files = _pages(pages)
    if not files:
        return failed(expected, "there are no pages")
    wrong = [(file, what) for file in files for what in _wrong(pages, file)]
    if wrong:
        told = "; ".join(f"{file.path} names {what}" for file, what in wrong[:SHOWN])
        return failed(expected, told, wrong[0][0])
    return passed(f"{len(files)} pages, and all that they name is there", files[0])


def _wrong(history: History, file: File) -> Iterator[str]:
    """Yield what a page names that is not there."""
    names = _paths(history)
    for link in read.links(file):
        if link.startswith("/") and not PurePosixPath(link).suffix:
            continue  # a path of the service's own, such as /metrics
        path = read.target(file, link)
        # A path that leaves the repository is one of the site that hosts it, such as its issues.
        if path not in names and path != "." and not path.startswith(".."):
            yield f"the file {path}"
    for one in needed(file.text):
        if not _is_there(history, names, one):
            yield f"the {one.kind} {one.name}"


def _is_there(history: History, names: frozenset[str], one: Needed) -> bool:
    match one.kind:
        case "make target":
            return _has_target(history, one.name)
        case "npm script":
            return one.name in _scripts(history)
        case "file":
            # Everybody makes their own .env, often by hand.
            return (
                one.name == ".env"
                or one.name in names
                or any(each.startswith(f"{one.name}/") for each in names)
            )


def _has_target(history: History, target: str) -> bool:
    makefile = next((file for name in MAKEFILES if (file := history.file(name))), None)
    if makefile is None:
        return False
    rules = re.findall(r"^([^\s#:=][^:=\n]*):(?!=)", makefile.text, re.MULTILINE)
    named = {name for rule in rules for name in rule.split()}
    # Targets may come from another file, or be made by a pattern or a variable.
    return target in named or bool(re.search(r"^-?include\s|^[^\s#:]*[%$]", makefile.text, re.MULTILINE))


def _scripts(history: History) -> set[str]:
    package = history.file("package.json")
    return set(map(str, _table(_table(as_json(package.text)).get("scripts")))) if package else set()


def _pages(history: History) -> list[File]:
    """Return the project's own pages: not those of the course, which lie beside its exercises."""
    return [file for file in history.of(File) if file.path.endswith(".md")]


def _paths(history: History) -> frozenset[str]:
    tree = history.first(Tree)
    return frozenset(tree.paths if tree else ())


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
