import pytest

from chaos.history import File, History
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
