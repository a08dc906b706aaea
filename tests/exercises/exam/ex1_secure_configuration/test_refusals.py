"""Which environments the service is started in, depending on what its refusals say."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from chaos.contract import Contract
from chaos.history import Exited, History, Log
from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.refusals import Attempts
from lab.axes import Axis
from lab.lab import Lab
from tests.exam import CONTRACT
from tests.lab.story import Story

Refuse = Callable[[Sequence[str]], Sequence[str]]
"""Return the variables that a refusal names, where some are bad; none for a start."""


class _FakeLab:
    """Starts a service that exists as a function only."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._story = Story("exposed")
        self.tried: list[list[str]] = []

    contract: Contract = CONTRACT
    secrets: Mapping[str, str] = CONTRACT.draw(random.Random(1))
    choose = random.Random(1).choice

    def vary(self, axis: Axis[Any]) -> list[tuple[str, Any]]:
        return list(axis.values.items())

    @property
    def history(self) -> History:
        return self._story.end()

    async def attempt(self, instance: str, changes: Mapping[str, str | None], *, seconds: float) -> None:
        bad = sorted(changes)
        self.tried.append(bad)
        if named := self._refuse(bad):
            self._story.add(Log(stream="stderr", text=" ".join(named), instance=instance))
            self._story.add(Exited(code=1, instance=instance))


def _groups_all(bad: Sequence[str]) -> Sequence[str]:
    return bad


def _names_both_addresses(bad: Sequence[str]) -> Sequence[str]:
    """Check LITELLM_URL alone, and name both in the message."""
    if "LITELLM_URL" in bad:
        return ["LITELLM_URL and QDRANT_URL must be URLs", *bad]
    return [] if bad == ["QDRANT_URL"] else bad


async def _tried(refuse: Refuse) -> list[list[str]]:
    lab = _FakeLab(refuse)
    await Attempts(cast(Lab, lab), 20).with_bad_values()
    return lab.tried


async def test_a_service_that_names_all_that_is_wrong_is_started_once_for_each_row() -> None:
    tried = await _tried(_groups_all)

    rows = starts.rows(CONTRACT, _FakeLab.secrets, random.Random(1).choice)
    assert len(tried) == 1 + len(rows)
    assert tried.count(["LITELLM_URL"]) == 1


@pytest.mark.parametrize(
    "refuse", [_names_both_addresses, lambda _: [*starts.addresses(CONTRACT), "JWT_SECRET_KEY"]]
)
async def test_where_a_refusal_names_what_is_right_each_bad_value_has_a_start_of_its_own(
    refuse: Refuse,
) -> None:
    tried = await _tried(refuse)

    assert all(len(bad) == 1 for bad in tried)
    assert tried.count(["QDRANT_URL"]) == len(starts.MALFORMED.values)
