"""Looking at a stack until somebody has seen enough."""

import asyncio

from rich.console import Console
from rich.live import Live

from chaos.demo import view
from chaos.demo.look import Observer

EVERY_SECONDS = 1.0


async def watch(observer: Observer, console: Console) -> None:
    """Show a picture that lives on a terminal, and a line each second elsewhere; runs until it is cancelled."""
    if not console.is_terminal:
        while True:
            print(view.line(await observer.look()), flush=True)  # noqa: T201 - a line, however long
            await asyncio.sleep(EVERY_SECONDS)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(view.picture(await observer.look()), refresh=True)
            await asyncio.sleep(EVERY_SECONDS)
