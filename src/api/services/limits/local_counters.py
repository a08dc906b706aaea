"""Counters of this process alone, for a service without Redis."""

from collections.abc import Sequence

from api.services.limits.counters import Adjustment, Charge, MemoryCounters, Reservation


class LocalCounters:
    """Never waits."""

    def __init__(self, memory: MemoryCounters) -> None:
        self._memory = memory

    async def reserve(self, charges: Sequence[Charge], deadline: float) -> Reservation:  # noqa: ARG002  nothing waits
        """Count all charges, or none."""
        return self._memory.reserve(charges)

    def adjust(self, adjustments: Sequence[Adjustment]) -> None:
        self._memory.adjust(adjustments)

    async def close(self) -> None:
        """Nothing is kept."""
