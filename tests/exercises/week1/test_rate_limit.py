import pytest

from chaos.history import Answer, Began, File, History, Request
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
        (method("times = self._counts[client]; times.pop(0)"), False),
        (method("self._counts[client].pop(0)"), False),
        (method("self._counts.setdefault(client, []).pop()"), False),
        (method("times = self._counts[client]; del times[0]"), False),
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
