"""Starts the service in environments that it must refuse."""

import asyncio
from collections.abc import Mapping
from typing import Any

from chaos.history import Exited, Log
from exercises.exam.ex1_secure_configuration import axes, starts
from exercises.exam.ex1_secure_configuration.starts import Faults
from lab.axes import Axis
from lab.lab import Lab


async def attempt_all(lab: Lab, *, usual: float) -> None:
    """Start the service in every environment; `usual` is how many seconds it needs for a start that is good."""
    attempts = Attempts(lab, starts.patience(usual))
    await asyncio.gather(attempts.with_weak_keys(), attempts.with_bad_values())


class Attempts:
    """Starts that have to fail, each with so many `seconds` to do so."""

    def __init__(self, lab: Lab, seconds: float) -> None:
        self._lab = lab
        self._seconds = seconds
        self._key = starts.key_variable(lab.contract)

    async def with_weak_keys(self) -> None:
        """Start with every key that is certain, and with one of each kind of longer one."""
        keys = starts.published_keys(self._lab.contract, self._lab.secrets)
        self._tried(axes.PUBLISHED)
        for kind, make in self._lab.vary(starts.LONGER_KEYS):
            key = make(self._lab.choose)
            keys[starts.longer_key(self._lab.contract, kind, key)] = key
        contract = self._lab.contract
        elsewhere = starts.elsewhere(contract)
        forgotten = starts.keys_elsewhere(contract)
        await asyncio.gather(
            *(self._attempt(name, {self._key: key}) for name, key in keys.items()),
            *(self._attempt(name, {**elsewhere, self._key: key}) for name, key in forgotten.items()),
        )

    async def with_bad_values(self) -> None:
        """Start without the key and with one bad value, then with several, until each has been named or accepted.

        Where a refusal for one variable names others that are good, each bad value has a start of its own.
        """
        contract = self._lab.contract
        for axis in (axes.WITHOUT_KEY, starts.MALFORMED):
            self._tried(axis)
        alone, *rows = starts.rows(contract, self._lab.secrets, self._lab.choose)
        missing = starts.missing_key(contract)
        await asyncio.gather(self._attempt(missing, {self._key: None}), self._until_all_are_named(alone))
        others = [variable for row in rows for variable in row if variable not in alone]
        if any(self._refused_by_name(instance, others) for instance in (missing, starts.group(alone))):
            rows = [{variable: bad} for row in rows for variable, bad in row.items()]
        await asyncio.gather(*map(self._until_all_are_named, rows))

    async def _until_all_are_named(self, faults: Faults) -> None:
        while faults:
            instance = starts.group(faults)
            await self._attempt(instance, {variable: bad.value for variable, bad in faults.items()})
            named = self._refused_by_name(instance, list(faults))
            if not named:
                return
            faults = {variable: bad for variable, bad in faults.items() if variable not in named}

    def _tried(self, axis: Axis[Any]) -> None:
        """Record that every value of an axis is tried."""
        list(self._lab.vary(axis))

    async def _attempt(self, instance: str, changes: Mapping[str, str | None]) -> None:
        await self._lab.attempt(instance, changes, seconds=self._seconds)

    def _refused_by_name(self, instance: str, variables: list[str]) -> tuple[str, ...]:
        """Return those of the variables that an instance named, if it ended by itself."""
        history = self._lab.history.instance(instance)
        if not any(exited.cause is None for exited in history.of(Exited)):
            return ()
        return starts.named_in("\n".join(log.text for log in history.of(Log)), variables)
