"""The experiment of exercise 2."""

import asyncio
import random

from chaos.llm import Answer, Reset, Status
from exercises.chat import request_id
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["ids"]

AT_ONCE = 50
CHATS = 12
MORE = 3
DELAYS = (0.1, 0.5)
PATIENCE = 30.0


@experiment(seconds=8, needs="start")
async def ids(lab: Lab) -> None:
    """Send ids that are sane and ids that are not, none at all, and chat requests that overlap or fail."""
    source = random.Random(lab.key())  # noqa: S311 - must be replayable
    lab.phase("fault")
    await request_id.send_ids(lab, source)
    for _ in range(MORE):
        usual = request_id.sane(source)[1]
        await lab.get(lab.endpoint("health"), label="sane id", headers={request_id.HEADER: usual})
    await asyncio.gather(*(lab.get(f"/nowhere/{number}", label="no id") for number in range(AT_ONCE)))
    as_json = {"content-type": "application/json"}
    await lab.get(lab.ask_path, label="405")
    await lab.client.request("POST", lab.ask_path, label="422", body=b"{}", headers=as_json)
    for step in (Status(400), Status(500), Reset()):
        key = lab.key()
        lab.llm.script(key, step)
        await lab.generate(key, label="failing", timeout=PATIENCE)
    await asyncio.gather(*(_chat(lab, source, number) for number in range(CHATS)))


async def _chat(lab: Lab, source: random.Random, number: int) -> None:
    """Have the model answer; every other request brings an id of its own."""
    key = lab.key()
    lab.llm.script(key, Answer(delay=source.uniform(*DELAYS)))
    headers = {request_id.HEADER: f"chat-{source.getrandbits(64):016x}"} if number % 2 else {}
    await lab.generate(key, label="chat", headers=headers, timeout=PATIENCE)
