import argparse
import asyncio

from api import settings as configuration


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()

    settings = configuration.load()

    # Only now: the imports take a while, and a bad configuration should be reported at once.
    from api.application import create_app
    from api.logs import configure_logging
    from api.server import run

    configure_logging()
    asyncio.run(run(create_app(settings), args.host, args.port))


if __name__ == "__main__":
    main()
