"""Axes: every value is tried and recorded, in pairs that differ between runs."""

from chaos.history import History, Tried
from lab.axes import Axis, missed, plain, tally

ENDPOINTS = plain("endpoints", ["/a", "/b", "/c"])
FAILURES = Axis("kinds of failure", {"reset": 1, "500": 2})


def history(*tried: tuple[str, str]) -> History:
    return History([Tried(axis=axis, value=value) for axis, value in tried])


def test_what_no_history_tried_is_missed() -> None:
    histories = [history(("endpoints", "/a")), history(("endpoints", "/c"), ("kinds of failure", "reset"))]

    assert missed([ENDPOINTS, FAILURES], histories) == {"endpoints": {"/b"}, "kinds of failure": {"500"}}


def test_the_tally_counts_each_value_once_and_no_other_axis() -> None:
    seen = history(("endpoints", "/a"), ("endpoints", "/a"), ("endpoints", "/b"), ("moments", "early"))

    assert tally([ENDPOINTS, FAILURES], [seen]) == "2 of 3 endpoints"


def test_the_tally_names_the_whole_of_an_axis_only_if_some_of_it_is_missing() -> None:
    seen = history(*(("endpoints", one) for one in ENDPOINTS.values), ("kinds of failure", "reset"))

    assert tally([ENDPOINTS, FAILURES], [seen]) == "3 endpoints, 1 of 2 kinds of failure"
