"""What the kinds of faults are told, beside the source."""

from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict

from grading.calibrate.generated.source import Fault, Source


class Options(BaseModel):
    """`where` are patterns of qualified names. Of the faults there, those are made that fit `only` and not `unless`.

    `factors` and `values` are for constants, `base` and `names` for flags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: tuple[str, ...] = ("*",)
    only: tuple[str, ...] = ("*",)
    unless: tuple[str, ...] = ()
    factors: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    base: str = ""
    names: tuple[str, ...] = ()


Operator = Callable[[Source, Options], Iterator[Fault]]
"""Yields a fault of its kind for every place where it fits. Each leaves Python that compiles."""
