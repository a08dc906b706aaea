from chaos.history import Ended
from lab.verdict import all_of, failed, not_judged, passed


def test_the_first_failure_outweighs_everything() -> None:
    first = failed("a", "b")

    assert all_of([passed("x"), not_judged("y"), first, failed("c", "d")]) is first


def test_a_part_not_judged_outweighs_what_passed() -> None:
    open_part = not_judged("y", blame="machine")

    assert all_of([passed("x"), open_part]) is open_part


def test_parts_that_passed_are_told_together_and_each_sentence_once() -> None:
    event = Ended()

    combined = all_of([passed("x", event), passed("y", None), passed("x"), passed("")])

    assert (combined.status, combined.actual, combined.evidence) == ("passed", "x; y", (event,))
