"""Which faults a stack has. Toxiproxy is the board on which all of them stand: those of this command by their marks."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chaos.demo.mark import Mark
from chaos.demo.quantities import spoken
from chaos.demo.service import find_service
from chaos.toxiproxy import NotFoundError, Proxy, Toxic, Toxiproxy

GRACE = 2.0
"""A fault is overdue so many seconds after its end: until then, who holds it is about to heal it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as it was found. `until` is its end in Unix time; None for those that others have set."""

    proxy: str
    text: str
    mark: Mark | None = None

    @property
    def until(self) -> float | None:
        return self.mark.until if self.mark else None

    def describe(self, now: float) -> str:
        """The fault and when it ends, as at `now`."""
        if self.until is None:
            return f"{self.text} (not set by `chaos`, so without an end)"
        return f"{self.text} ({spoken(max(0.0, round(self.until - now)))} left)"


class Board:
    """The faults of the stack behind one Toxiproxy server.

    Every method raises ToxiproxyError as its client does.
    """

    def __init__(self, toxiproxy: Toxiproxy, api: str, *, now: Callable[[], float] = time.time) -> None:
        self.toxiproxy = toxiproxy
        self.api = api
        self._now = now

    async def faults(self) -> list[Fault]:
        """All faults, those of others as well."""
        return faults(await self.toxiproxy.proxies())

    async def heal_overdue(self) -> list[Fault]:
        """Heal what a command that was killed has left, and return it."""
        overdue = [
            fault
            for fault in await self.faults()
            if fault.until is not None and self._now() > fault.until + GRACE
        ]
        for fault in overdue:
            assert fault.mark
            await self.heal(fault.proxy, fault.mark)
        return overdue

    async def heal_all(self) -> list[Fault]:
        """Heal everything, whoever has set it, and return what there was."""
        found = await self.faults()
        if any(fault.mark and fault.mark.kind == "freeze" for fault in found):
            await self._thaw()
        await self.toxiproxy.reset()
        return found

    async def heal(self, proxy: str, mark: Mark) -> None:
        """Heal one fault of this command's; it may be healed already."""
        # The mark goes last: as long as it stands, somebody knows that there is something to heal.
        match mark.kind:
            case "outage":
                await self.toxiproxy.update(proxy, enabled=True)
            case "freeze":
                await self._thaw()
            case "latency":
                pass
        with contextlib.suppress(NotFoundError):
            await self.toxiproxy.remove_toxic(proxy, mark.name)

    async def _thaw(self) -> None:
        if service := await find_service(self.api):
            await service.signal("CONT")


def faults(proxies: Mapping[str, Proxy]) -> list[Fault]:
    """Read the faults off the proxies."""
    return [fault for name in sorted(proxies) for fault in _of(proxies[name])]


def _of(proxy: Proxy) -> list[Fault]:
    found = [_toxic(proxy, toxic) for toxic in proxy.toxics]
    if not proxy.enabled and not any(fault.mark and fault.mark.kind == "outage" for fault in found):
        found.append(Fault(proxy.name, f"outage of {proxy.name}"))
    return found


def _toxic(proxy: Proxy, toxic: Toxic) -> Fault:
    mark = Mark.parse(toxic.name)
    match mark and mark.kind:
        case "outage":
            text = f"outage of {proxy.name}"
        case "freeze":
            text = "freeze of api"
        case "latency":
            text = f"latency {spoken(toxic.attributes['latency'] / 1000)} on {proxy.name}"
        case _:
            text = f"toxic {toxic.name} ({toxic.type}) on {proxy.name}"
    return Fault(proxy.name, text, mark)
