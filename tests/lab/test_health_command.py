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
        "exit 0 # curl -f http://localhost:8000/health",
        "curl -f http://localhost:8000/health & exit 0",
        "curl --version",
        "python -c import sys; sys.exit(0)",
        "python3 -c \"print('ok')\"",
        "node -e process.exit(0)",
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
        "curl -fsS http://localhost:8000/health > /dev/null 2>&1 || exit 1",
        "python -c import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2)",
        "python -c 'import api.probe; api.probe.main()'",
        "python -m api.healthcheck",
        "python -c 'import healthcheck'",
        "node -e \"fetch('http://localhost:8000/health').then(r => process.exit(r.ok ? 0 : 1))\"",
        "curl -f $HEALTH_URL",
        "curl -f --url=localhost:8000/health",
    ],
)
def test_a_command_that_asks(command: str) -> None:
    assert not asks_nobody(command)
