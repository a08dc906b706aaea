"""The experiment of exercise 4."""

import asyncio
import random

from chaos.history import Answer as Answered
from chaos.history import Failure
from chaos.llm import Answer, ByModel, RateLimited, Reset, Status, Step
from exercises.chat.answer import read
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["fallback"]

PRIMARY, SECONDARY = "gpt-4o", "gpt-4o-mini"
BACK_SECONDS = 5.0
PATIENCE = 40.0
FAILURES: dict[str, Step] = {
    "400": Status(400),
    "401": Status(401),
    "500": Status(500),
    "503": Status(503),
    "broken connection": Reset(),
}


@experiment(seconds=10)
async def fallback(lab: Lab) -> None:
    """gpt-4o is rate limited for some prompts, fails otherwise for others, and answers again."""
    source = random.Random(lab.key())  # noqa: S311 - must be replayable
    usages = [(source.randrange(2_000, 60_000), source.randrange(500, 4_000)) for _ in range(6)]
    await asyncio.gather(
        *(
            _ask(lab, "usual", Answer(usage=usage), model)
            for usage, model in zip(usages, (PRIMARY, SECONDARY, None), strict=False)
        )
    )
    lab.phase("fault")
    # Before anything is rate limited: whoever remembers that for some seconds may ask the other model at once.
    failing = FAILURES.items()
    await asyncio.gather(
        *(
            _ask(lab, f"failing: {name}", ByModel({PRIMARY: step}, Answer()), PRIMARY)
            for name, step in failing
        )
    )
    steps: list[Step] = [Status(429), RateLimited(1), Status(429), RateLimited(1)]
    models = (None, PRIMARY, PRIMARY, None)
    await asyncio.gather(
        *(
            _ask(lab, "limited", ByModel({PRIMARY: step}, Answer(usage=usage)), model)
            for step, model, usage in zip(steps, models, usages, strict=False)
        )
    )
    await _ask(lab, "both limited", Status(429))
    lab.phase("recovery")
    deadline = lab.recorder.now() + BACK_SECONDS
    while True:
        answer = await _ask(lab, "back", Answer(), PRIMARY)
        if lab.recorder.now() >= deadline or ((chat := read(answer)) and chat.model.endswith(PRIMARY)):
            return
        await asyncio.sleep(0.5)


async def _ask(lab: Lab, label: str, step: Step, model: str | None = None) -> Answered | Failure:
    key = lab.key()
    lab.llm.script(key, step)
    body = lab.ask_body(key, model=model)
    if model is None:
        del body["model"]
    return await lab.client.json("POST", lab.ask_path, body, label=label, key=key, timeout=PATIENCE)
