"""How a run of tests whose lines are counted has ended."""

from typing import Final

from chaos.history import Exited
from chaos.own_tests.covered_lines import NotMeasuredError
from chaos.service import Service

INSTANCE: Final = "own tests, measured"
SECONDS: Final = 120.0


async def end_of_tests(service: Service) -> Exited:
    """Wait for the end of the tests that `service` runs. Raises NotMeasuredError where they do not end by themselves."""
    async with service:
        exited = await service.wait_exit(SECONDS)
    if exited is None:
        raise NotMeasuredError(f"the tests took longer than {SECONDS:.0f} s, with their lines counted")
    if exited.cause:
        raise NotMeasuredError(f"the tests were ended by the grader: they {exited.cause}")
    return exited
