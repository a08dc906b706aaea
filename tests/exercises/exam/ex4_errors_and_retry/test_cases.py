import asyncio

import httpx

from chaos.keys import Keys
from chaos.llm import Answer, ScriptedLLM, Status
from chaos.recorder import Recorder
from exercises.exam.ex4_errors_and_retry.cases import Case, in_turn
from exercises.exam.ex4_errors_and_retry.spacing import Spacing

PATIENCE = 10.0


async def test_between_two_failures_the_model_answers_another_request() -> None:
    recorder = Recorder()
    keys = Keys(1, "spacing")
    async with ScriptedLLM(recorder) as llm, httpx.AsyncClient(base_url=llm.url) as client:

        async def ask(key: str, model: str) -> int:
            body = {"model": model, "messages": [{"role": "user", "content": key}]}
            return (await client.post("/v1/chat/completions", json=body)).status_code

        async def relieve(model: str) -> None:
            await ask(next(keys), model)

        async with asyncio.timeout(PATIENCE), Spacing(relieve) as spacing:
            failing = [next(keys) for _ in range(5)]
            for key in failing:
                llm.script(key, spacing.space(Status(503)), Answer())
            statuses = await asyncio.gather(*(ask(key, f"model-{n}") for n, key in enumerate(failing)))
            await llm.wait_for_replies(10, timeout=PATIENCE)

    history = recorder.history()
    ended = [call for call in history.calls("litellm") if call.reply]
    ended.sort(key=lambda call: call.reply.t if call.reply else 0.0)
    assert statuses == [503] * 5
    assert [call.reply.status for call in ended if call.reply] == [503, 200] * 5
    models = [call.call.model for call in ended]
    assert models[::2] == models[1::2]


async def test_the_last_failure_is_relieved_before_anything_else_begins() -> None:
    keys = Keys(1, "spacing")
    relieved: list[int] = []
    async with ScriptedLLM(Recorder()) as llm, httpx.AsyncClient(base_url=llm.url) as client:

        async def ask(key: str) -> int:
            body = {"model": "gpt", "messages": [{"role": "user", "content": key}]}
            return (await client.post("/v1/chat/completions", json=body)).status_code

        async def relieve(_: str) -> None:
            key = next(keys)
            llm.script(key, Answer(delay=0.3))
            relieved.append(await ask(key))

        async with asyncio.timeout(PATIENCE), Spacing(relieve) as spacing:
            failing = next(keys)
            llm.script(failing, spacing.space(Status(503)))
            assert await ask(failing) == 503

        assert relieved == [200]


def test_one_of_each_kind_comes_before_the_second_of_any() -> None:
    labels = ["malformed: {}", "malformed: []", "malformed: null", "rate limit: a date", "500 once"]
    cases = [Case(label, [Status(500)]) for label in labels]

    assert [case.label for case in in_turn(cases)] == [
        "malformed: {}",
        "rate limit: a date",
        "500 once",
        "malformed: []",
        "malformed: null",
    ]
