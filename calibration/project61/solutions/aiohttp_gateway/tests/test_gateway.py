"""The gateway from outside, with a backend in this process."""

import json

from gateway.settings import Rate, Rule


def test_health_answers_without_a_token(play):
    async def act(stage):
        response = await stage.client.get("/health")
        assert response.status == 200

    play(act)


def test_an_answer_is_passed_on_and_booked(play):
    async def act(stage):
        response = await stage.chat(min_p=0.1)
        assert (await response.json())["choices"][0]["message"]["content"] == "Hello"
        assert stage.backend.asked[-1]["min_p"] == 0.1
        [record] = stage.gateway.ledger.pending()
        assert (record.username, record.prompt_tokens, record.completion_tokens) == ("ann", 5, 3)

    play(act)


def test_a_stream_is_booked_and_hides_the_usage_that_nobody_asked_for(play):
    async def act(stage):
        text = await (await stage.chat(stream=True)).text()
        assert text.endswith("data: [DONE]\n\n")
        assert "usage" not in text
        assert stage.backend.asked[-1]["stream_options"] == {"include_usage": True}
        assert [record.prompt_tokens for record in stage.gateway.ledger.pending()] == [5]

    play(act)


def test_a_stream_shows_the_usage_to_whoever_asks(play):
    async def act(stage):
        response = await stage.chat(stream=True, stream_options={"include_usage": True})
        assert '"total_tokens": 8' in await response.text()

    play(act)


def test_a_broken_stream_ends_with_an_error(play):
    async def act(stage):
        stage.backend.breaks = True
        events = (await (await stage.chat(stream=True)).text()).strip().split("\n\n")
        assert "error" in json.loads(events[-1].removeprefix("data: "))

    play(act)


def test_without_a_token_the_answer_is_401_in_openais_form(play):
    async def act(stage):
        response = await stage.client.post("/v1/chat/completions", json={})
        assert response.status == 401
        assert set((await response.json())["error"]) == {"message", "type", "code", "param"}

    play(act)


def test_without_the_permission_the_answer_is_403(play):
    async def act(stage):
        assert (await stage.chat("max")).status == 403
        assert stage.backend.asked == []

    play(act)


def test_unknown_paths_and_methods_have_openais_form(play):
    async def act(stage):
        for method, path, status in (("GET", "/v1/nothing", 404), ("PUT", "/v1/models", 405)):
            response = await stage.client.request(method, path)
            assert response.status == status
            assert (await response.json())["error"]["message"]

    play(act)


def test_wrong_bodies_are_refused(play):
    async def act(stage):
        for body in (b"{", b"[]", b'{"model": "small"}', b"[" * 100_000, b'{"a": NaN}'):
            response = await stage.client.post("/v1/chat/completions", data=body, headers=stage.headers())
            assert response.status == 400

    play(act)


def test_transient_failures_are_tried_three_times(play):
    async def act(stage):
        stage.backend.statuses = [503, 429]
        assert (await stage.chat()).status == 200
        assert len(stage.backend.asked) == 3

    play(act)


def test_refusals_are_not_tried_again(play):
    async def act(stage):
        stage.backend.statuses = [400]
        assert (await stage.chat()).status == 400
        assert len(stage.backend.asked) == 1

    play(act)


def test_beyond_the_limit_the_answer_says_when_to_come_back(play):
    async def act(stage):
        assert (await stage.chat()).status == 200
        response = await stage.chat()
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert response.headers["X-RateLimit-Remaining"] == "0"

    play(act, rates={"free": Rate(1, 60)})


def test_a_rule_and_its_fallback_choose_the_model(play):
    async def act(stage):
        stage.backend.statuses = [429, 429, 429]
        assert (await (await stage.chat()).json())["model"] == "spare"
        assert [body["model"] for body in stage.backend.asked] == ["big", "big", "big", "spare"]

    play(act, routes=(Rule("big", tier="free", fallback="spare"),))


def test_metrics_count_requests_and_tokens(play):
    async def act(stage):
        await stage.client.get("/v1/models", headers=stage.headers())
        await stage.chat()
        text = await (await stage.client.get("/metrics")).text()
        assert 'gateway_tokens_total{kind="prompt",model="small"} 5.0' in text
        assert 'route="/v1/chat/completions",status="200"} 1.0' in text

    play(act)
