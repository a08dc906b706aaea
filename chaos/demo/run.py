"""Running a command so that Ctrl-C unwinds it, and whatever goes wrong is told in a sentence."""

import asyncio
import signal
from collections.abc import Coroutine

import typer

from chaos.demo.errors import StageError
from chaos.toxiproxy import ToxiproxyError


def run(work: Coroutine[None, None, None]) -> None:
    """Run `work`; raises typer.Exit with the right code where it does not end by itself.

    SIGINT, SIGTERM and SIGHUP cancel it, once: who is healing must not be interrupted again.
    """
    heard: list[signal.Signals] = []

    async def main() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def hear(number: signal.Signals) -> None:
            if not heard:
                heard.append(number)
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, hear, number)
        await task

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        raise typer.Exit(128 + heard[0] if heard else 1) from None
    except StageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.code) from None
    except ToxiproxyError as error:
        typer.echo(f"The fault proxy refused, or did not answer: {error}.", err=True)
        raise typer.Exit(StageError.code) from None
