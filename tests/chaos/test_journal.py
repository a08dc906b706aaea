import asyncio

import pytest

from chaos.history import Call, Reply
from chaos.http_server import ClientGone, HttpRequest
from chaos.journal import Journal
from chaos.recorder import Recorder

REQUEST = HttpRequest(method="POST", path="/x", query="", headers={}, body=b"", connection=3)


def test_calls_of_all_upstreams_are_numbered_together() -> None:
    recorder = Recorder()
    llm, mlflow = Journal(recorder, "litellm"), Journal(recorder, "mlflow")
    assert [journal.call(REQUEST).call for journal in (llm, mlflow, llm)] == [1, 2, 3]
    assert Journal(Recorder(), "litellm").call(REQUEST).call == 1


def test_what_is_journalled_is_recorded() -> None:
    recorder = Recorder()
    journal = Journal(recorder, "qdrant")
    call = journal.call(REQUEST, key="k", step="s", counted=False, model="m", asked="a")
    journal.reply(call, "answered", 200)
    history = recorder.history()
    assert history.of(Call) == journal.calls == [call]
    assert (call.upstream, call.method, call.path, call.connection) == ("qdrant", "POST", "/x", 3)
    assert (call.key, call.step, call.counted) == ("k", "s", False)
    assert (call.model, call.asked) == ("m", "a")
    [reply] = history.of(Reply)
    assert (reply.call, reply.outcome, reply.status) == (call.call, "answered", 200)


def test_a_lost_client_is_recorded_and_still_raised() -> None:
    journal = Journal(Recorder(), "litellm")
    call = journal.call(REQUEST)
    with pytest.raises(ClientGone), journal.losing(call):
        raise ClientGone("eof", 200)
    assert [(reply.outcome, reply.status) for reply in journal.replies] == [("client-gone", 200)]


async def test_everyone_who_waits_is_woken() -> None:
    journal = Journal(Recorder(), "litellm")

    def two() -> int | None:
        return len(journal.calls) if len(journal.calls) >= 2 else None

    waiting = [asyncio.create_task(journal.wait_for(two, timeout=10.0)) for _ in range(3)]
    for _ in range(2):
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        journal.call(REQUEST)
    assert await asyncio.gather(*waiting) == [2, 2, 2]
    with pytest.raises(TimeoutError):
        await journal.wait_for(lambda: None, timeout=0.01)
