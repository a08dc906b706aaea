"""The parts that need no server."""

import json

import pytest

from gateway.backend import pause, refusal
from gateway.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from gateway.database import Database
from gateway.errors import ApiError
from gateway.identity import Caller, Directory, Tokens
from gateway.ledger import Ledger, Record, Segment, clean
from gateway.limits import LocalWindows
from gateway.metrics import Metrics
from gateway.routing import Experiments, Router
from gateway.semantic import cosine, pack, question_of, unpack
from gateway.settings import Rate, Rule, Settings, User, WrongSettings
from gateway.sse import EventReader


def test_settings_name_the_variable_that_is_wrong():
    with pytest.raises(WrongSettings, match="JWT_SECRET_KEY"):
        Settings.from_environment({"LITELLM_URL": "http://backend"})


def test_rates_have_a_period():
    assert Rate.parse("10/minute") == Rate(10, 60)
    with pytest.raises(WrongSettings):
        Rate.parse("ten")


def test_a_token_of_another_key_is_nobodys():
    mine, other = Tokens("m" * 40, 60), Tokens("o" * 40, 60)
    assert mine.subject(mine.issue("ann")) == "ann"
    assert mine.subject(other.issue("ann")) is None
    assert Tokens("m" * 40, -60).issue("ann") and mine.subject(Tokens("m" * 40, -60).issue("ann")) is None


def test_a_login_needs_the_right_password():
    directory = Directory({"ann": User("ann", "right", "free", frozenset({"chat"}))})
    assert directory.login("ann", "right") == Caller("ann", "free", frozenset({"chat"}))
    assert directory.login("ann", "wrong") is None
    assert directory.login("nobody", "") is None


def test_the_breaker_opens_rests_and_closes():
    now = [0.0]
    breaker = Breaker(threshold=2, rest=5, clock=lambda: now[0])
    breaker.failed()
    assert breaker.state == CLOSED
    breaker.failed()
    assert breaker.state == OPEN
    with pytest.raises(ApiError) as refused:
        breaker.enter()
    assert refused.value.headers["Retry-After"] == "5"
    now[0] = 6
    assert breaker.enter() and breaker.state == HALF_OPEN
    breaker.succeeded()
    assert breaker.state == CLOSED


def test_pauses_grow():
    assert all(pause(0) < pause(1) < pause(2) for _ in range(50))


def test_errors_of_the_backend_keep_their_words():
    error = refusal(400, b'{"error": {"message": "bad seed", "type": "x", "param": "seed"}}')
    assert error.body()["error"] == {"message": "bad seed", "type": "x", "code": None, "param": "seed"}
    assert refusal(401, b"").status == 502


def test_events_are_cut_out_of_any_pieces():
    whole = b'data: {"a": 1}\r\n\r\n: a comment\n\ndata: [DONE]\n\n'
    reader = EventReader()
    found = [event for number in range(len(whole)) for event in reader.feed(whole[number : number + 1])]
    assert found == ['{"a": 1}', "[DONE]"]


def test_a_local_window_is_full_at_its_limit():
    windows, rate = LocalWindows(), Rate(2, 60)
    decisions = [windows.take("ann", rate).allowed for _ in range(3)]
    assert decisions == [True, True, False]


def test_usage_survives_the_process(tmp_path):
    record = Record.new("ann", "small", 5, 3, 0)
    segment = Segment.create(tmp_path)
    segment.append(record)
    assert Segment.adopt(segment.path) is None, "its owner lives"
    (tmp_path / "dead.jsonl").write_text(segment.path.read_text() + '{"torn')
    ledger = Ledger(tmp_path, Database(None), Metrics())
    ledger.adopt()
    assert ledger.pending() == [record]


def test_texts_are_made_fit_for_postgresql():
    assert clean("a\0b\ud800") == "a?b?"


def test_the_first_rule_that_is_met_wins():
    router = Router([Rule("a", tier="free", task="summary"), Rule("b", latency_budget=2, fallback="c")])
    free = Caller("ann", "free", frozenset())
    assert router.choose(free, "own", "summary", 1).model == "a"
    assert router.choose(free, "own", None, 2).fallback == "c"
    assert router.choose(free, "own", None, 3).model == "own"


def test_users_keep_their_variant_and_weights_count():
    experiments = Experiments({"m": {"heavy": 99, "light": 1}})
    picked = [experiments.pick("m", f"user{number}") for number in range(200)]
    assert picked == [experiments.pick("m", f"user{number}") for number in range(200)]
    assert picked.count("light") < 20
    assert experiments.pick("other", "ann") is None


def test_only_cold_whole_questions_are_cached():
    body = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0}
    assert question_of(body)[0] == "Why?"
    for change in ({"stream": True}, {"temperature": 1}, {"tools": [{}]}):
        assert question_of({**body, **change}) is None


def test_vectors_are_compared_by_their_angle():
    assert cosine(unpack(pack([1.0, 1.0])), [2.0, 2.0]) == pytest.approx(1)
    assert cosine([1.0, 0.0], [0.0, 1.0]) == 0


def test_the_description_is_json_and_uses_its_schemes():
    from gateway.openapi import DOCUMENT

    chat = json.loads(json.dumps(DOCUMENT))["paths"]["/v1/chat/completions"]["post"]
    assert {name for one in chat["security"] for name in one} <= set(DOCUMENT["components"]["securitySchemes"])
