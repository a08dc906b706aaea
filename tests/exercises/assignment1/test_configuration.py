import pytest

from chaos.history import Event, Exited, File, History, Launched, Log, Ready
from exercises.assignment1 import plan
from exercises.assignment1.part2_configuration import checks

SETTINGS = """
from dataclasses import dataclass
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    limit: int = 1

@dataclass
class Wrapped:
    def __post_init__(self):
        self.limit = os.environ["LIMIT"]

@dataclass
class GenerationSettings:
    temperature: float
"""
LOOKING_FIRST = """
def get_settings():
    global _kept
    if _kept is not None:
        return _kept
    try:
        _kept = Settings()
        return _kept
    except ValueError:
        raise
"""
HANDLER = '@router.post("/x")\nasync def chat(body, settings=Depends(get_settings)):\n    '


@pytest.mark.parametrize(
    ("code", "reading"),
    [
        ("def get_settings():\n    return Settings()\n", "get_settings"),
        ("@lru_cache\ndef get_settings():\n    return Settings()\n", None),
        (LOOKING_FIRST, None),
        ("def get_settings():\n    global _kept\n    _kept = _kept or Settings()\n    return _kept\n", None),
        ("def get_settings():\n    global _kept\n    _kept = Settings()\n    return _kept\n", "get_settings"),
        (
            "def get_settings():\n    global _kept\n    if _kept is None:\n        _kept = 1\n    return Settings()\n",
            "get_settings",
        ),
        (
            "class Kept:\n    def get_settings(cls):\n        if cls._one is None:\n            cls._one = Settings()\n        return cls._one\n",
            None,
        ),
        (
            "def get_settings(request):\n    if not hasattr(request.app.state, 'own'):\n        request.app.state.own = Settings()\n    return request.app.state.own\n",
            None,
        ),
        (
            "def get_settings():\n    if 'own' not in KEPT:\n        KEPT['own'] = Settings()\n    return KEPT['own']\n",
            None,
        ),
        (
            "def get_settings(request):\n    request.state.own = Settings()\n    return request.state.own\n",
            "get_settings",
        ),
        (HANDLER + "return GenerationSettings(temperature=body.temperature)\n", None),
        (HANDLER + "return Settings(_env_file=None)\n", "chat"),
        (HANDLER + "return config.Wrapped()\n", "chat"),
        (HANDLER + "return os.getenv('LIMIT')\n", "chat"),
        (HANDLER + "return os.environ['LIMIT']\n", "chat"),
        (HANDLER + "return request.environ.get('REMOTE_ADDR')\n", None),
    ],
)
def test_who_reads_the_environment_for_each_request(code: str, reading: str | None) -> None:
    told = History(
        [
            File(path="src/config/settings.py", text=SETTINGS),
            File(path="src/main.py", text=f"{code}\nDependency = Depends(get_settings)\n"),
        ]
    )

    assert [name for _, name in checks._read_per_request(told)] == ([reading] if reading else [])


def started(*events: Event) -> History:
    refused = "DEBUG=2"
    return History(
        [
            Launched(instance=refused, command="", cwd="/"),
            Log(instance=refused, stream="stderr", text="DEBUG: no"),
            Exited(instance=refused, code=1),
            Launched(instance=plan.FREE, command="", cwd="/"),
            *events,
        ]
    )


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Ready(instance=plan.FREE), "passed"),
        (Exited(instance=plan.FREE, code=1), "failed"),
        (Exited(instance=plan.FREE, code=-9, cause="killed by the lab"), "failed"),
    ],
)
def test_a_service_without_money_starts(event: Event, status: str) -> None:
    assert checks.malformed_values_are_refused(started(event)).status == status
