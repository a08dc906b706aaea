"""The options that the commands share: where the stack is, and for how long a fault is held."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import typer

from chaos.demo.quantities import duration, rate

T = TypeVar("T")


def option(parse: Callable[[str], T]) -> Callable[[object], T]:
    """A parser of an option's text whose complaint reaches whoever wrote it; a default passes as it is."""

    def parser(value: object) -> T:
        if not isinstance(value, str):
            return value  # type: ignore[return-value]
        try:
            return parse(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parser


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"'{text}' is no URL such as http://127.0.0.1:8000.")
    return text.rstrip("/")


URL = option(_url)
DURATION = option(duration)
RATE = option(rate)
FAULTS, API, MODEL = "http://127.0.0.1:8474", "http://127.0.0.1:8000", "http://127.0.0.1:8485"

Faults = Annotated[
    str,
    typer.Option(
        "--faults", envvar="CHAOS_FAULTS", metavar="URL", parser=URL, help="Toxiproxy's control API."
    ),
]
ApiUrl = Annotated[
    str, typer.Option("--api", envvar="CHAOS_API", metavar="URL", parser=URL, help="The service.")
]
Model = Annotated[
    str,
    typer.Option("--model", envvar="CHAOS_MODEL", metavar="URL", parser=URL, help="The scripted model."),
]
For = Annotated[
    float,
    typer.Option(
        "--for",
        metavar="TIME",
        parser=DURATION,
        show_default="60s",
        help="Time after which the fault ends by itself.",
    ),
]
Proxy = Annotated[str, typer.Argument(metavar="PROXY", help="litellm, qdrant or mlflow.")]
