"""Hypercorn, stopped by SIGTERM."""

import asyncio
import logging
import os
import signal

from hypercorn.asyncio import serve
from hypercorn.config import Config
from loguru import logger

from api.drain import drain

FORCED_EXIT_AFTER = 28


def _config(host: str, port: int) -> Config:
    config = Config()
    config.bind = [f"{host}:{port}"]
    config.graceful_timeout = 20
    config.shutdown_timeout = 8
    config.errorlog = logging.getLogger("hypercorn.error")
    config.accesslog = logging.getLogger("hypercorn.access")
    config.access_log_format = "%(m)s %(U)s %(s)s %(D)sus"  # no query string, no headers
    return config


async def run(app, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        logger.info("{} received: draining, then shutdown", number.name)
        drain.begin()
        stop.set()
        loop.call_later(FORCED_EXIT_AFTER, os._exit, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    await serve(app, _config(host, port), shutdown_trigger=stop.wait)
    logger.info("Shutdown complete")
