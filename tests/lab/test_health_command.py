import pytest

from lab.health_command import asks_nobody


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "exit 0",
        "sh -c 'exit 0'",
        "echo healthy",
        "pgrep -f uvicorn",
        "test -f /app/main.py",
        "curl -f http://localhost:8000/health || true",
        "redis-cli ping || exit 0",
    ],
)
def test_a_command_that_asks_nobody(command: str) -> None:
    assert asks_nobody(command)


@pytest.mark.parametrize(
    "command",
    [
        "pg_isready -U api",
        "redis-cli ping | grep PONG",
        "curl -f http://localhost:8000/health || exit 1",
        "test \"$(curl -s -o /dev/null -w '%{http_code}' localhost:8000/health)\" = 200",
        "cat < /dev/null > /dev/tcp/127.0.0.1/6333",
        "pgrep uvicorn && wget -q localhost:8000/health",
    ],
)
def test_a_command_that_asks(command: str) -> None:
    assert not asks_nobody(command)
