"""`python -m chaos.toxiproxy_server`: run the server until SIGTERM or SIGINT."""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from http import HTTPStatus
from pathlib import Path

from chaos.toxiproxy_server import address, http
from chaos.toxiproxy_server.api import VERSION, Api
from chaos.toxiproxy_server.errors import ApiError
from chaos.toxiproxy_server.metrics import Metrics
from chaos.toxiproxy_server.registry import Registry

logger = logging.getLogger(__name__)


def main() -> int:
    """Exits 0 after a signal, 1 where the control address cannot be had, 2 on wrong use."""
    parser = arguments()
    options = parser.parse_args()
    try:
        config = options.config.read_bytes() if options.config else None
    except OSError as exc:
        parser.error(str(exc))
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "warning").upper())
    try:
        asyncio.run(serve(options, config))
    except ApiError as error:
        logger.critical("%s", error.message)
        return 1
    return 0


def arguments() -> argparse.ArgumentParser:
    """The flags of toxiproxy-server, with one dash or two."""
    parser = argparse.ArgumentParser(prog="python -m chaos.toxiproxy_server", description=__doc__)
    parser.add_argument(
        "-host", "--host", default="localhost", help="the control API's address (%(default)s)"
    )
    parser.add_argument("-port", "--port", default="8474", help="its port, 0 for any (%(default)s)")
    parser.add_argument("-config", "--config", type=Path, help="a JSON file of proxies to begin with")
    parser.add_argument(
        "-seed", "--seed", type=int, help="replays the random choices of a run with that seed"
    )
    parser.add_argument("-proxy-metrics", "--proxy-metrics", action="store_true", help="serve /metrics")
    parser.add_argument(
        "-version", "--version", action="version", version=f"toxiproxy-server version {VERSION}"
    )
    return parser


async def serve(options: argparse.Namespace, config: bytes | None) -> None:
    """Serve until a signal. Once the control API answers, one line of JSON on stdout says where.

    Raises ApiError where the control address cannot be had.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    seed = secrets.randbits(63) if options.seed is None else options.seed
    metrics = Metrics()
    registry = Registry(seed=seed, metrics=metrics)
    api = Api(registry, metrics, expose_metrics=options.proxy_metrics)
    if config is not None:
        response = await api.populate(config)
        if response.status is not HTTPStatus.CREATED:
            logger.error("%s: %s", options.config, response.body.decode())

    sock = address.bind(*await address.resolve(f"{options.host}:{options.port}"))
    server = await http.serve(sock, api.handle)
    host, port = sock.getsockname()[:2]
    url = f"http://{address.join(host, port)}"
    print(json.dumps({"event": "listening", "url": url, "seed": seed, "version": VERSION}), flush=True)  # noqa: T201 (the one line that was promised)

    await stop.wait()
    server.close()
    await registry.stop()


if __name__ == "__main__":
    sys.exit(main())
