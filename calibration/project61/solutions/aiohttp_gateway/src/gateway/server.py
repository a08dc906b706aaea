"""The process: its arguments, its signals, its end."""

import argparse
import asyncio
import os
import signal
import sys

import structlog
from aiohttp import web

from .application import Gateway
from .logs import configure
from .settings import Settings, WrongSettings

log = structlog.get_logger("gateway.server")


async def serve(settings: Settings, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    gateway = Gateway(settings)
    runner = web.AppRunner(
        gateway.application(),
        handler_cancellation=True,  # a caller who hangs up ends the call of the backend
        access_log=None,
        shutdown_timeout=settings.drain_seconds,
        max_field_size=64 * 1024,
        max_line_size=64 * 1024,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=512).start()
    log.info("serving", host=host, port=port)
    await stop.wait()
    gateway.draining = True
    log.info("draining", seconds=settings.drain_seconds)
    await runner.cleanup()
    log.info("ended")


def main() -> None:
    parser = argparse.ArgumentParser(description="The inference gateway.")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    arguments = parser.parse_args()
    configure()
    try:
        settings = Settings.from_environment()
    except WrongSettings as error:
        log.error("the settings are wrong", reason=str(error))
        sys.exit(2)
    asyncio.run(serve(settings, arguments.host, arguments.port))
