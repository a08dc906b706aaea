"""What the commands of a page need from the repository; what cannot be told is left alone."""

import pytest

from exercises.project61.part6_documentation.commands import needed


def of(*lines: str) -> list[tuple[str, str]]:
    page = "\n".join(["# A page", "", "```sh", *lines, "```", ""])
    return [(one.kind, one.name) for one in needed(page)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("make test", [("make target", "test")]),
        ("$ make -j 4 lint test", [("make target", "lint"), ("make target", "test")]),
        ("PYTHON=python3 make score ARGS='-e 3'", [("make target", "score")]),
        ("make -f ops/Makefile.curl ex2", [("file", "ops/Makefile.curl")]),
        ("make -C ops up", []),
        ("make test && make lint", [("make target", "test"), ("make target", "lint")]),
        ("npm run build", [("npm script", "build")]),
        ("docker compose -f docker-compose.prod.yml up -d --wait", [("file", "docker-compose.prod.yml")]),
        ("docker compose logs -f api", []),
        ("kubectl apply -k deploy/overlays/production", [("file", "deploy/overlays/production")]),
        ("kubectl apply -f https://example.com/x.yaml", []),
        ("curl -f 127.0.0.1:8000/health", []),
        ("grep -r foo.bar src | tail -f app.log", []),
        ("uv pip install -r requirements.txt", [("file", "requirements.txt")]),
        ("./scripts/load.sh 10", [("file", "scripts/load.sh")]),
        ("bash ops/run.sh", [("file", "ops/run.sh")]),
        ("echo 'not closed", []),
        ("# make nothing", []),
        ("make test 2>&1 | tee test.log", [("make target", "test")]),
        ("npm run --silent build", [("npm script", "build")]),
        ("npm --prefix web run dev", []),
        ("npm run -w web dev", []),
        ("docker compose -f path/to/compose.yml up", []),
        ("docker run '' x", []),
    ],
)
def test_a_command_needs(line: str, expected: list[tuple[str, str]]) -> None:
    assert of(line) == expected


def test_nothing_is_told_of_what_follows_another_folder() -> None:
    assert of("cd deploy", "make up", "./run.sh") == []


def test_a_file_that_an_earlier_command_names_may_be_made_by_it() -> None:
    assert of("cp .env.example prod.yml", "docker compose -f prod.yml up") == []


def test_lines_without_a_prompt_are_output() -> None:
    assert of("$ make up", "./data was made", "make nothing") == [("make target", "up")]


def test_a_here_document_holds_no_commands() -> None:
    assert of("cat > a.yml <<'EOF'", "make nothing", "EOF", "make up") == [("make target", "up")]


def test_a_command_may_go_over_several_lines() -> None:
    assert of("docker compose \\", "  --file a.yml \\", "  up") == [("file", "a.yml")]


def test_what_lies_in_an_environment_that_the_page_makes_is_not_in_the_repository() -> None:
    page = "```bash\npython -m venv env\n./env/bin/pip install -r requirements.txt\n./.venv/bin/pytest\n```\n"

    assert list(needed(page)) == []
