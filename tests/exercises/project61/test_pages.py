"""The checks of a project's pages, on pages as they are written elsewhere."""

import copy
import json
from typing import Any

import pytest

from chaos.contract import Contract
from chaos.history import Answer, Began, File, History, Request, Tree
from exercises.project61.part6_documentation import checks
from tests.exam import CONTRACT

CONTRACT_OF_PROJECT = Contract.model_validate(
    {
        "start": {"main": "main.py", "service": "api", "example": "x"},
        "endpoints": {"alive": "/health", "openapi": "/openapi.json"},
    }
)
WORDS = " ".join(["word"] * 90)
DIAGRAM = "```mermaid\ngraph LR\n  a --> b\n```\n"
README = f"""# The API of our architecture and its deployment

In short.

## Architecture

### Components

{WORDS}

{DIAGRAM}

## Deployment

{WORDS}

## API

{WORDS}
"""


def told(*paths: str, **files: str) -> History:
    pages = {name.replace("_", "."): text for name, text in files.items()}
    return History(
        [
            Began(experiment="pages", seed=1, contract=CONTRACT),
            *(File(path=path, text=text) for path, text in pages.items()),
            Tree(paths=(*paths, *pages)),
        ]
    )


def test_a_section_has_what_is_below_it() -> None:
    verdict = checks.pages_are_there(told(README_md=README))

    assert verdict.passed, verdict.actual


def test_the_title_of_a_readme_is_no_page_about_all_that_it_names() -> None:
    text = f"# The API of our architecture and its deployment\n\n{WORDS}\n\n{DIAGRAM}"

    assert "nothing, or too little, on API" in checks.pages_are_there(told(README_md=text)).actual


@pytest.mark.parametrize(
    "diagram",
    [
        '<img width="600" src="docs/overview.svg" alt="">',
        "![overview](docs/overview.svg)",
        "```ascii\n+---+\n| a | --> b\n+---+\n```",
        "```\n╔═══╗\n║ a ║ → b\n╚═══╝\n```",
        "<img src=docs/overview.svg>",
        "<picture><source srcset='docs/overview.svg'></picture>",
        "![overview][1]\n\n[1]: docs/overview.svg",
        "1. In short:\n\n    ```{mermaid}\n    graph LR\n    ```",
    ],
)
def test_a_diagram_may_be_drawn_otherwise(diagram: str) -> None:
    verdict = checks.pages_are_there(
        told("docs/overview.svg", README_md=README.replace(DIAGRAM, f"{diagram}\n"))
    )

    assert verdict.passed, verdict.actual


@pytest.mark.parametrize(
    "block", ["src/\n├── api/\n│   └── main.py\n└── tests/", "cat a | grep b\ncat b | grep c\ncat c | grep d"]
)
def test_what_is_no_drawing(block: str) -> None:
    verdict = checks.pages_are_there(told(README_md=README.replace(DIAGRAM, f"```\n{block}\n```\n")))

    assert verdict.actual == "there is no diagram on any page"


def test_sections_may_be_underlined() -> None:
    sections = "".join(f"{name}\n----\n\n{WORDS}\n\n" for name in ("Design", "Deploying", "Endpoints"))

    assert checks.pages_are_there(told(readme_md=f"The API\n=======\n\n{sections}{DIAGRAM}")).passed


def test_a_topic_may_be_the_name_of_a_folder() -> None:
    pages = {f"docs/{topic}/overview.md": WORDS for topic in ("api", "deployment", "architecture")}
    history = told(README_md=DIAGRAM)
    added = [File(path=path, text=text) for path, text in pages.items()]

    assert checks.pages_are_there(History([*history.events, *added])).passed


@pytest.mark.parametrize(
    "text",
    [
        "[issues](../../issues) and ![CI](../../actions/workflows/ci.yml/badge.svg)",
        "[how](<docs/how to.md>)",
        "A link is written `[text](file.md)`.",
        "[site](HTTPS://example.com/a)",
    ],
)
def test_a_link_that_is_none_to_a_missing_file(text: str) -> None:
    assert checks.pages_are_true(told("docs/how to.md", README_md=text)).passed


SECURED: dict[str, Any] = {
    "paths": {path: {} for _, path in checks.OPERATIONS},
    "components": {"securitySchemes": {"bearer": {"type": "http"}}},
}
for method, path in checks.OPERATIONS:
    SECURED["paths"][path][method] = {}


@pytest.mark.parametrize(
    ("everywhere", "chat", "passes"),
    [
        (None, [{"bearer": []}], True),
        ([{"bearer": []}], None, True),
        ([{"other": []}], [{"bearer": []}], True),
        (None, [{}, {"bearer": []}], True),
        (None, None, False),
        ([{"bearer": []}], [], False),
        (None, [{"other": []}], False),
    ],
)
def test_the_chat_names_a_scheme_that_there_is(everywhere: object, chat: object, passes: bool) -> None:  # noqa: FBT001
    described = copy.deepcopy(SECURED)
    if everywhere is not None:
        described["security"] = everywhere
    if chat is not None:
        described["paths"]["/v1/chat/completions"]["post"]["security"] = chat
    asked = Request(request=1, label="openapi", method="GET", path="/openapi.json")
    answer = Answer(request=1, status=200, headers={}, body=json.dumps(described), elapsed=0.1)

    verdict = checks.openapi_lists_the_endpoints(
        History([Began(experiment="openapi", seed=1, contract=CONTRACT_OF_PROJECT), asked, answer])
    )

    assert verdict.passed == passes, verdict.actual


@pytest.mark.parametrize("name", ["Makefile", "makefile", "GNUmakefile"])
def test_a_makefile_has_one_of_three_names(name: str) -> None:
    history = told(README_md="```sh\nmake run\n```\n", **{name: "run:\n\techo\n"})

    assert checks.pages_are_true(history).passed


def test_a_target_that_is_not_there_is_named() -> None:
    history = told(README_md="```sh\nmake run\n```\n", Makefile="test:\n\techo\n")

    assert "make target run" in checks.pages_are_true(history).actual


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("kubectl apply -k deploy/nope", "deploy/nope"),
        ("kubectl apply -k ./deploy/nope/", "deploy/nope"),
        ("kubectl apply --kustomize=deploy/nope", "deploy/nope"),
        ("kubectl apply -k deploy", ""),
        ("kubectl apply -k deploy/overlays/", ""),
        ("kubectl apply -k .", ""),
        ("kubectl apply -k deploy/overlays/$STAGE", ""),
        ("kubectl apply -k deploy/overlays/<stage>", ""),
        ("kubectl apply -k https://github.com/acme/gateway/deploy?ref=v1", ""),
        ("kubectl apply -k github.com/acme/gateway/deploy", ""),
        ("kubectl apply -k", ""),
        ("kubectl apply -f k8s/", "k8s"),
        ("kubectl apply -f deploy/", ""),
        ("kubectl apply -f https://example.com/k8s/", ""),
        ("kubectl apply --filename=k8s/nope.yml", "k8s/nope.yml"),
        ("docker compose --file=nope.yml up", "nope.yml"),
        ("docker compose --file=docker-compose.yml up", ""),
        ("docker compose -f docker-compose.yml up", ""),
        ("make --file=other.mk run", "other.mk"),
        ("make --file=docker-compose.yml run", ""),
        ("pip install --requirement=nope.txt", "nope.txt"),
    ],
)
def test_files_and_folders_that_options_name_have_to_be_there(command: str, missing: str) -> None:
    history = told(*("docker-compose.yml", "deploy", "deploy/overlays"), README_md=f"```sh\n{command}\n```\n")

    verdict = checks.pages_are_true(history)

    assert verdict.passed != bool(missing), verdict.actual
    assert not missing or verdict.actual.endswith(f"names the file {missing}")


def test_a_link_may_have_spaces_encoded() -> None:
    assert checks.pages_are_true(told("docs/how to.md", README_md="[how](docs/how%20to.md)")).passed
