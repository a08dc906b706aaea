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
        "redis-cli ping & true",
        "true && true",
        "redis-cli --version",
        "exit 0 # redis-cli ping",
        "ps aux | grep -v grep | grep uvicorn",
        "ss -ltn | grep 6379",
        "if pgrep uvicorn; then exit 0; else exit 1; fi",
        "timeout 5 true",
        'test -n "$(pgrep uvicorn)"',
        "exit 0 # curl -f http://localhost:8000/health",
        "curl -f http://localhost:8000/health & exit 0",
        "curl --version",
        "curl -sf",
        "python -c import sys; sys.exit(0)",
        "python3 -c \"print('ok')\" || exit 1",
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
        "test $$(redis-cli ping) = PONG",
        '[ "$(redis-cli ping)" = "PONG" ] || exit 1',
        "echo PING | redis-cli | grep PONG",
        "echo 'SELECT 1' | psql -U api",
        "cat /run/secrets/password | xargs redis-cli ping -a",
        "sleep 1; pg_isready",
        "curl -f http://localhost:8000/health && exit 0 || exit 1",
        "if curl -f http://localhost:8000/health; then exit 0; else exit 1; fi",
        "bash -c '</dev/tcp/localhost/6379'",
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
