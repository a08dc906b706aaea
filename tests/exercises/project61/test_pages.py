"""The checks of a project's pages, on pages as they are written elsewhere."""

import pytest

from chaos.history import Began, File, History, Tree
from exercises.project61.part6_documentation import checks
from tests.exam import CONTRACT

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
    ],
)
def test_a_diagram_may_be_drawn_otherwise(diagram: str) -> None:
    verdict = checks.pages_are_there(
        told("docs/overview.svg", README_md=README.replace(DIAGRAM, f"{diagram}\n"))
    )

    assert verdict.passed, verdict.actual


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
