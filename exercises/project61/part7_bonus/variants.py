"""Judges which variants of a model users have, whether they keep them, and what metrics tell of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from chaos.history import Event, Exchange, History
from exercises.project61.chat import model_called
from exercises.project61.part2_security.second import no_second
from exercises.project61.part3_monitoring.scrape import Growth, growth, read, scrapes, sums_of
from exercises.project61.part7_bonus.plan import (
    EVEN,
    MOST_LIGHT,
    NOT_BUILT,
    UNEVEN,
    VARIANTS,
    splits_of,
)
from lab.reading import outcome
from lab.verdict import Verdict, all_of, failed, in_short, passed

_NOT_COUNTING = ("_bucket", "_sum", "_created")


def variants_are_compared(variants: History) -> Verdict:
    splits = splits_of(variants)
    if problem := _not_built(variants):
        return problem
    users = {name: _by_user(variants, name) for name in splits}
    verdicts = [
        *(_served(one) for asked in users.values() for exchanges in asked.values() for one in exchanges),
        no_second(variants) or passed(""),
        *(_kept(variants, name, exchanges) for asked in users.values() for name, exchanges in asked.items()),
        *_shares(variants, users),
        _counted(variants),
    ]
    return in_short(all_of(verdicts), _told(variants, users))


def _not_built(history: History) -> Verdict | None:
    for name, split in splits_of(history).items():
        [first] = history.exchanges(f"first: {name}")
        expected = f"a request for {split.model} goes to {' or '.join(split.weights)}"
        if first.status != 200:
            return failed(expected, outcome(first.end), first.end)
        if (model := model_called(history, first)) not in split.weights:
            built = _by_user(history, EVEN)
            said = f"it went to {model or 'no model'}"
            return failed(expected, said if built else f"{NOT_BUILT}{VARIANTS} changes no model", first.end)
    return None


def _by_user(history: History, split: str) -> dict[str, list[Exchange]]:
    """Return the requests for a model with variants, by user."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for one in history.exchanges():
        if one.request.label.startswith(f"{split}: "):
            found[one.request.label.removeprefix(f"{split}: ")].append(one)
    return found


def _served(exchange: Exchange) -> Verdict:
    if exchange.status == 200:
        return passed("", exchange.end)
    return failed("200 by one of two variants", outcome(exchange.end), exchange.end)


def _kept(history: History, user: str, exchanges: list[Exchange]) -> Verdict:
    models = {model_called(history, one) for one in exchanges}
    if len(models) == 1:
        return passed("", exchanges[-1].end)
    return failed(
        f"{user} keeps a variant, on each instance",
        f"it had {' and '.join(sorted(models))}",
        exchanges[-1].end,
    )


def _shares(history: History, users: Mapping[str, Mapping[str, list[Exchange]]]) -> Iterator[Verdict]:
    for name, split in splits_of(history).items():
        counts = _counts(history, users[name])
        event = next(iter(users[name].values()))[0].end
        seen = ", ".join(f"{variant}: {counts[variant]}" for variant in split.weights)
        lightest = min(split.weights, key=lambda variant: split.weights[variant])
        if stray := set(counts) - set(split.weights):
            yield failed(f"the variants of {split.model}", f"also {', '.join(sorted(stray))}", event)
        elif name == EVEN and len(counts) < len(split.weights):
            yield failed(f"both variants of {split.model} have users, their weights being alike", seen, event)
        elif name == UNEVEN and counts[lightest] > MOST_LIGHT:
            expected = (
                f"at most {MOST_LIGHT} of {counts.total()} users with {lightest}, whose weight is 1 in 100"
            )
            yield failed(expected, seen, event)
        else:
            yield passed("", event)


def _counts(history: History, asked: Mapping[str, list[Exchange]]) -> Counter[str]:
    return Counter(model_called(history, exchanges[0]) for exchanges in asked.values())


def _counted(history: History) -> Verdict:
    """Judge whether a counter tells the variants apart, by scrapes around the requests of the first instance."""
    [before] = scrapes(history, "before")
    later = scrapes(history, "after")
    made = _between(history, before.request, later[0].request)
    expected = "a counter with the variant as a label that grows by " + ", ".join(
        f"{count} for {variant}" for variant, count in made.items()
    )
    found: list[Growth] = []
    for scraped in later:
        try:
            grown = growth(read(before.end), read(scraped.end))
            found = [one for one in grown if not one.series.name.endswith(_NOT_COUNTING)]
        except ValueError as error:
            return failed(expected, str(error), scraped.end)
        if all(count in sums_of(found, variant) for variant, count in made.items()):
            return passed("", scraped.end)
    missing = next(variant for variant, count in made.items() if count not in sums_of(found, variant))
    sums = ", ".join(f"{one:g}" for one in sorted(sums_of(found, missing))[:5])
    actual = f"those of {missing} grew by {sums}" if sums else f"no counter has the label {missing}"
    return failed(expected, actual, later[-1].end)


def _between(history: History, first: Event, last: Event) -> Counter[str]:
    """Return how many requests went to each variant between two moments."""
    return Counter(
        model_called(history, one)
        for one in history.exchanges()
        if one.request.key and first.t < one.request.t < last.t and model_called(history, one)
    )


def _told(history: History, users: Mapping[str, Mapping[str, list[Exchange]]]) -> str:
    shares = (
        f"{' and '.join(str(_counts(history, users[name])[variant]) for variant in split.weights)} users"
        f" by weights of {' and '.join(f'{weight:g}' for weight in split.weights.values())}"
        for name, split in splits_of(history).items()
    )
    return f"{'; '.join(shares)}; each kept a variant"
