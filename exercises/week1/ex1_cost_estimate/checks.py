"""The checks of exercise 1. They compute what is asked for from the prices and the load of the page."""

import re
import tomllib
from typing import Any

from chaos.history import History
from exercises.chat.prices import PRICES
from lab.reading import excerpt
from lab.verdict import Verdict, failed, passed

REQUESTS_A_DAY = 100_000
INPUT_TOKENS, OUTPUT_TOKENS = 2_000, 500
DAYS = 30
TOLERANCE = 0.01

_NUMBER = re.compile(r"(?P<dollars>\$\s*)?(?P<digits>\d[\d,_]*(?:\.\d+)?)(?P<thousands>\s?[kK](?!\w))?")
_GROUPED = re.compile(
    r"(?<![\d.,])(?P<dollars>\$\s*)?(?P<digits>\d{1,3}(?P<mark>[ .'\u2019\u00a0\u202f])\d{3}(?:(?P=mark)\d{3})*(?:,\d+)?)(?!\d)"
)
"""A number as most of Europe writes it: `1 000,00`, `1.000`, `1'000`."""
_DIVISION = re.compile(r"(?:[/÷]|\bper|\\div)\s*$", re.IGNORECASE)
_UNIT = re.compile(r"\s*(?:%|(?:(?:input|output)\s+)?(?:tokens?|requests?)\b)", re.IGNORECASE)


def month_of_gpt_4o(answers: History) -> Verdict:
    return _month(answers, "gpt-4o", "gpt_4o_usd_per_month")


def month_of_gpt_4o_mini(answers: History) -> Verdict:
    return _month(answers, "gpt-4o-mini", "gpt_4o_mini_usd_per_month")


def day_of_gpt_4o(answers: History) -> Verdict:
    return _day(answers, "gpt-4o")


def day_of_gpt_4o_mini(answers: History) -> Verdict:
    return _day(answers, "gpt-4o-mini")


def cost_of_a_day(model: str) -> float:
    """Return what a day costs with a model, in US dollars."""
    return REQUESTS_A_DAY * PRICES[model].cost(INPUT_TOKENS, OUTPUT_TOKENS)


def _month(answers: History, model: str, name: str) -> Verdict:
    expected = f"[cost] {name} in answers.toml, right to {TOLERANCE:.0%}"
    file = answers.file("answers.toml")
    if file is None:
        return failed(expected, "there is no answers.toml")
    try:
        table: Any = tomllib.loads(file.text).get("cost")
    except (ValueError, RecursionError) as error:  # TOML that is not valid, or a number of too many digits
        return failed(expected, f"answers.toml is not valid TOML ({excerpt(str(error), 80)})", file)
    value = table.get(name) if isinstance(table, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return failed(
            expected, f"{excerpt(str(value), 40)}" if value is not None else "it is not there", file
        )
    try:
        amount = float(value)
    except OverflowError:
        return failed(expected, f"a number of {len(str(value))} digits", file)
    if not _right(amount, DAYS * cost_of_a_day(model)):
        return failed(expected, f"{amount:g}", file)
    return passed(f"{amount:g} USD a month", file)


def _day(answers: History, model: str) -> Verdict:
    expected = f"a line in ANSWERS.md with {model} and what it costs a day, right to {TOLERANCE:.0%}"
    file = answers.file("ANSWERS.md")
    if file is None:
        return failed(expected, "there is no ANSWERS.md")
    lines = [line for line in file.text.splitlines() if _names(line, model)]
    found = [number for line in lines for number in _numbers(line)]
    right = cost_of_a_day(model)
    if not any(_right(number, right) for number in found):
        lacking = f"no line with {model} has the right amount" if lines else f"no line names {model}"
        return failed(expected, lacking, file)
    return passed(f"{model} costs {right:g} USD a day", file)


def _names(line: str, model: str) -> bool:
    """Whether a line names a model, and not one whose name goes on: gpt-4o is not gpt-4o-mini."""
    written = re.escape(model).replace(r"\-", r"[-_ ]?")
    return re.search(rf"(?<![\w-]){written}(?![\w]|[-_ ]?mini)", line, re.IGNORECASE) is not None


def _numbers(line: str) -> list[float]:
    """Return the numbers of a line that can be an amount: no divisors, and no counts of tokens or requests."""
    line = line[:2000]
    amounts = (
        number
        for pattern in (_NUMBER, _GROUPED)
        for number in pattern.finditer(line)
        if number["dollars"]
        or not (_DIVISION.search(line, 0, number.start()) or _UNIT.match(line, number.end()))
    )
    return [_value(number) for number in amounts]


def _value(number: re.Match[str]) -> float:
    if number.re is _GROUPED:
        whole, _, fraction = number["digits"].partition(",")
        return float(f"{re.sub(r'[^0-9]', '', whole)}.{fraction or 0}")
    return float(re.sub(r"[,_]", "", number["digits"])) * (1_000 if number["thousands"] else 1)


def _right(value: float, right: float) -> bool:
    return abs(value - right) <= TOLERANCE * right
