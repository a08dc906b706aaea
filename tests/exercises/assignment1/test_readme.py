import time

import pytest

from chaos.history import File, History
from exercises.assignment1.part1_setup import checks
from lab.verdict import Verdict

INSTALL, CONFIGURE, START = "uv sync\n", "cp .env.example .env\n", "uv run uvicorn src.main:app\n"


def block(language: str, text: str, fence: str = "```") -> str:
    return f"\n{fence}{language}\n{text}{fence}\n"


def judged(*blocks: str) -> Verdict:
    return checks.readme_sets_up(History([File(path="README.md", text="# Service\n" + "".join(blocks))]))


@pytest.mark.parametrize(
    "language", ["sh", "bash", "shell", "console", "Bash", " zsh", "shell-session", "{.bash}"]
)
@pytest.mark.parametrize("fence", ["```", "````", "~~~", "  ```"])
def test_commands_stand_in_shell_blocks(language: str, fence: str) -> None:
    assert judged(*(block(language, text, fence) for text in (INSTALL, CONFIGURE, START))).passed


@pytest.mark.parametrize(
    "start",
    [
        *(
            "python serve.py --port 8000",
            "python3 -m src.main",
            "uv run python -m src",
            "make run",
            "just dev",
        ),
        *(
            "docker compose up --build",
            "docker-compose --env-file .env up -d",
            "uv run start",
            "./run.sh",
            "bash scripts/start-service.sh",
            "uv run -m src.main",
            "quart --app src.main run",
        ),
    ],
)
def test_a_service_is_started_in_many_ways(start: str) -> None:
    assert judged(block("sh", INSTALL + CONFIGURE + f"{start}\n")).passed


@pytest.mark.parametrize(
    "other",
    [
        "python -m venv .venv",
        "python -m pip list",
        "python3 -m pytest tests",
        "python --version",
        "make test",
        "./scripts/check.sh",
    ],
)
def test_other_commands_start_nothing(other: str) -> None:
    assert "start it" in judged(block("sh", INSTALL + CONFIGURE + f"{other}\n")).actual


def test_the_configuration_may_be_the_content_of_a_file() -> None:
    content = block("dotenv", "OPENAI_API_KEY=your-key\n")

    assert judged(block("sh", INSTALL + START), content).passed


@pytest.mark.parametrize("language", ["python", "toml", "json", "dockerfile", ""])
def test_other_blocks_are_no_commands(language: str) -> None:
    verdict = judged(
        block("python", "import json\n"),
        block("sh", INSTALL + CONFIGURE),
        block(language, 'import uvicorn\nuvicorn.run("src.main:app")\n'),
    )

    assert verdict.status == "failed"
    assert "start it" in verdict.actual


@pytest.mark.parametrize("part", ["`", "~", "```sh\n~~~\n", "```\n", " ", "```{.", "~~~`"])
def test_a_long_readme_is_read_soon(part: str) -> None:
    begun = time.process_time()

    judged(part * (200_000 // len(part)))

    assert time.process_time() - begun < 2
