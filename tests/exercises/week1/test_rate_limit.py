import pytest

from chaos.history import Answer, Began, Event, File, History, Request
from exercises.catalogue import assessment
from exercises.week1.ex3_rate_limit import checks


def method(line: str, name: str = "check") -> str:
    return f"class Limiter:\n    def __init__(self):\n        self._counts = {{}}\n\n    def {name}(self):\n        {line}\n"


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (method("del self._counts[client]"), True),
        (method("self._counts.pop(client, None)"), True),
        (method("self._counts = {}"), True),
        (method("self._counts: Counter[str] = Counter()"), True),
        (method("self._counts = collections.defaultdict(list)"), True),
        (method("loop.call_later(60, self._counts.pop, client, None)"), True),
        (method("schedule(after=60, action=self._counts.clear)"), True),
        (method("self._log.pop(0)"), True),
        (method("del self._log[:3]"), True),
        (method("counts = self._counts; del counts[client]"), True),
        ("log = []\n" + method("log.pop(0)"), True),
        ("log: list[str] = []\n" + method("del log[0]"), True),
        (method("self._before, self._now = self._now, {}"), True),
        ("log = {}\n\ndef forget():\n    global log\n    log = {}\n", True),
        ("log = {}\n\ndef forget():\n    log = {}\n", False),
        ("import aiolimiter\n" + method("self._counts[client] = aiolimiter.AsyncLimiter(10, 60)"), False),
        (method("times = self._counts[client]; times.pop(0)"), False),
        (method("self._counts[client].pop(0)"), False),
        (method("self._counts.setdefault(client, []).pop()"), False),
        (method("times = self._counts[client]; del times[0]"), False),
        (method("times = self._counts[client]; times.remove(first)"), False),
        (method("times = self._counts[client]; times.clear()"), False),
        (method("self._counts.clear()"), True),
        (method("times = self._counts[client]; del times[:4]"), False),
        (method("self._counts = self._counts"), False),
        (method("self._counts = {client: 1}"), False),
        (method("self._counts[client] = deque()"), False),
        (method("counts = Counter()"), False),
        (method("self._counts = Counter()", "__post_init__"), False),
        ("def create_app(app):\n    app.state.counts = {}\n", False),
    ],
)
def test_a_limiter_that_removes_entries(code: str, *, passes: bool) -> None:
    told = History([File(path="src/services/limits.py", text=f'"""A rate limiter."""\n{code}')])

    assert checks.forgets(told).passed is passes


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/services/limits.py", "class Window: ..."),
        ("src/services/visits.py", "class TooManyRequests(Exception): ..."),
        ("src/services/visits.py", "class RequestLimit: ..."),
        ("src/middleware/throttle.py", "class Gate: ..."),
    ],
)
def test_a_limiter_need_not_call_itself_so(path: str, text: str) -> None:
    limiter = File(path=path, text=f"{text}\n{method('del self._counts[client]')}")
    endpoint = File(path="src/api/chat.py", text="raise HTTPException(429)")

    assert checks.forgets(History([endpoint, limiter])).passed


KEEPS = "from collections import defaultdict\n" + method("self._counts[client] = [1]")
CLIENT = """
from openai import RateLimitError
payload = {name: value for name, value in fields.items() if value is not None}
model = kwargs.pop("model", None)
"""


@pytest.mark.parametrize(
    ("limiter", "other", "passes"),
    [
        (KEEPS, CLIENT, False),
        (f"from litestar.exceptions import TooManyRequestsException\n{KEEPS}", "", False),
        ("from litestar.middleware.rate_limit import RateLimitConfig\nlimit = RateLimitConfig(('minute', 10))", CLIENT, True),
        ("from limits.strategies import MovingWindowRateLimiter\n" + KEEPS, CLIENT, True),
        (KEEPS, "from services.limits import limiter\ndel limiter.counts[client]  # its rate limit", True),
        (KEEPS, "from .limits import limiter\ndel limiter.counts[client]  # its rate limit", True),
        (KEEPS, "from .limits import limiter\nlimiter.check()  # its rate limit", False),
        (KEEPS, "from .limits import limiter\n@router.delete('/keys')\ndef forget(): ...", False),
        (KEEPS, "from .limits import limiter\n@lru_cache(maxsize=1)\ndef get_limiter(): ...", False),
        ("@lru_cache(maxsize=1000)\ndef counter_of(client): ...\n" + KEEPS, "", True),
        ("def check():\n    raise NotImplementedError", "del rate_limits[client]", True),
    ],
)  # fmt: skip
def test_what_others_remove_is_not_the_limiters(limiter: str, other: str, *, passes: bool) -> None:
    files = [
        File(path="src/services/limits.py", text=limiter),
        File(path="src/services/llm.py", text=other),
    ]
    assert checks.forgets(History(files)).passed is passes


def test_a_limit_of_the_size_of_bodies_is_no_limiter() -> None:
    limiter = File(path="src/services/limits.py", text=method("self._counts[client] = 1"))
    size = File(path="src/middleware/body_limit.py", text="headers.pop('content-length', None)")

    assert not checks.forgets(History([limiter, size])).passed


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("60", "passed"),
        (" 1 ", "passed"),
        ("59.0", "passed"),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "passed"),
        ("59.98", "failed"),
        (".5", "failed"),
        ("0", "failed"),
        ("61.5", "failed"),
    ],
)
def test_retry_after_has_whole_seconds(told: str, status: str) -> None:
    headers = {"retry-after": told, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    contract = assessment("week1").contract
    events = [
        Began(experiment="limit", seed=1, contract=contract),
        Request(request=1, label="beyond 1", method="POST", path="/x"),
        Answer(request=1, status=429, headers=headers, body="{}", elapsed=0.1),
    ]

    assert checks.tells_when_to_come_back(History(events)).status == status


@pytest.mark.parametrize(
    ("pause", "answered", "status"),
    [(0.1, 10, "passed"), (0.1, 11, "failed"), (0.7, 10, "passed"), (0.7, 11, "not judged")],
)
def test_a_bucket_has_room_for_one_more_before_the_minute_ends(
    pause: float, answered: int, status: str
) -> None:
    events: list[Event] = [Began(experiment="limit", seed=1, contract=assessment("week1").contract)]

    def ask(label: str, t: float, code: int) -> None:
        number = len(events)
        events.append(Request(t=t, request=number, label=label, method="POST", path="/x"))
        events.append(Answer(t=t, request=number, status=code, headers={}, body="{}", elapsed=0.01))

    for round_ in (1, 2):
        start = 14.0 * (round_ - 1)
        for position in range(16):
            label = "allowed" if position < 10 else "beyond" if position < 12 else "forged"
            ask(f"{label} {round_}", start + position * pause, 200 if position < answered else 429)
        for position in range(20):
            ask(f"at once {round_}", start + 16 * pause, 200 if position < 10 else 429)

    assert checks.ten_in_a_minute(History(events)).status == status
