"""A look at a stack, as a line for a pipe and as a picture for a projector."""

import math
from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chaos.demo.health import Breaker, Health
from chaos.demo.look import Look

BAR = 30
STATES = {"closed": "green", "open": "red", "half-open": "yellow"}


def line(look: Look) -> str:
    """All that is known, in one line."""
    return "  ".join(
        [
            f"{look.at:%H:%M:%S}",
            _rates(look),
            f"p50 {_seconds(look.p50)}",
            f"p95 {_seconds(look.p95)}",
            *states(look.health),
            f"faults: {_faults(look)}",
        ]
    )


def picture(look: Look) -> RenderableType:
    """The same, one panel below the other."""
    return Group(
        Panel(_requests(look), title="answers per second", title_align="left"),
        Panel(_service(look.health), title="service", title_align="left"),
        Panel(_broken(look), title=f"faults at {look.at:%H:%M:%S}", title_align="left"),
    )


def _rates(look: Look) -> str:
    shown = [f"{status} {rate:.1f}/s" for status, rate in look.rates.items() if rate]
    return "  ".join(shown) or "no answers"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return "more than is measured" if math.isinf(value) else f"{value:.2f} s"


def states(health: Health | None) -> Iterator[str]:
    """What the service says of itself, in a few words each."""
    if health is None:
        yield "api down"
        return
    if health.circuit_breaker:
        yield f"breaker {_breaker(health.circuit_breaker)}"
    for name, dependency in sorted(health.checks.items()):
        yield f"{name} {'up' if dependency.healthy else 'down'}"


def _breaker(breaker: Breaker) -> str:
    state = breaker.state.replace("_", "-")
    return f"{state} ({breaker.retry_after:.0f} s)" if breaker.retry_after else state


def _faults(look: Look) -> str:
    if look.faults is None:
        return "the fault proxy does not answer"
    return "; ".join(look.faults) or "none"


def _requests(look: Look) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    most = max(look.rates.values(), default=0.0)
    for status, rate in look.rates.items():
        style = _status_style(status)
        bar = "█" * (round(BAR * rate / most) if most else 0)
        table.add_row(Text(status, style=f"bold {style}"), f"{rate:5.1f}", Text(bar.ljust(BAR), style=style))
    if not look.rates:
        table.add_row(Text("none: start `chaos traffic` in another terminal", style="dim"))
    times = f"half of them within {_seconds(look.p50)}, 95 % within {_seconds(look.p95)}"
    return Group(table, Text(times, style="bold"))


def _status_style(status: str) -> str:
    return {"2": "green", "4": "yellow", "5": "red"}.get(status[:1], "white")


def _service(health: Health | None) -> RenderableType:
    if health is None:
        return Text("does not answer", style="bold red")
    table = Table(box=box.SIMPLE_HEAD, show_header=False, show_edge=False, pad_edge=False)
    if health.circuit_breaker:
        said = _breaker(health.circuit_breaker)
        table.add_row("circuit breaker", Text(said, style=f"bold {STATES.get(said.split()[0], 'white')}"))
    for name, dependency in sorted(health.checks.items()):
        text = (
            Text("up", style="green")
            if dependency.healthy
            else Text(f"down: {dependency.error or 'no reason given'}", style="bold red")
        )
        table.add_row(name, text)
    if not table.row_count:
        return Text("answers, but its health report names neither breaker nor dependencies", style="dim")
    return table


def _broken(look: Look) -> RenderableType:
    return Text(_faults(look).replace("; ", "\n"), style="bold red" if look.faults != () else "green")
