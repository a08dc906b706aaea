import pytest

from chaos.history import Answer, Event, Failure, File, History, OwnTest, OwnTests, Ready, Signalled
from lab.reading import (
    describe,
    error_answers,
    error_fields,
    excerpt,
    outcome,
    starved,
)
from tests.lab.story import Story, held_up


def test_outcomes_are_told_in_a_few_words() -> None:
    assert outcome(Answer(request=1, status=504, headers={}, body="", elapsed=20.013)) == "504 after 20.01 s"
    assert outcome(Failure(request=1, error="timeout", elapsed=36.0)) == "no answer within 36 s"
    assert outcome(Failure(request=1, error="reset", elapsed=0.5)) == "the connection was reset after 0.50 s"
    assert outcome(None) == "no answer"


def test_an_excerpt_is_one_short_line_that_steers_no_terminal() -> None:
    assert excerpt("a\n\tb\x1b[31m\x07c") == "a b c"
    assert excerpt("x" * 200, 10) == "xxxxxxx..."


def test_error_fields_are_found_flat_and_nested() -> None:
    def fields(body: str) -> object:
        return error_fields(Answer(request=1, status=500, headers={}, body=body, elapsed=0.1)).get("error")

    assert fields('{"error": "x"}') == "x"
    assert fields('{"detail": {"error": "x"}}') == "x"
    assert fields('{"detail": "x"}') is None
    assert fields("[]") is None
    assert fields("oops") is None


def test_error_answers_are_those_of_generate_from_400_on() -> None:
    story = Story()
    story.reject("a", 503)
    story.answer(story.ask("b", path="/nothing"), 404)
    story.serve("c")

    assert [answer.status for answer in error_answers(story.end())] == [503]


def test_an_answer_is_described_with_its_request_and_an_errors_body() -> None:
    story = Story()
    story.reject("a", 503)
    history = story.end()

    text = describe(history, history.exchanges("a")[0].end or history.events[0])

    assert text == 'POST /llm/generate (a) -> 503 after 0.01 s: {"detail": "no"}'


@pytest.mark.parametrize(("text", "shown"), [("A=1\nB=2\n", "A=1 B=2"), ("", "empty")])
def test_a_file_is_described_by_its_path_and_beginning(text: str, shown: str) -> None:
    file = File(path=".env.example", text=text)

    assert describe(History([file]), file) == f".env.example: {shown}"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Ready(), "the service answered"),
        (Ready(instance="no JWT_SECRET_KEY"), "the service answered (no JWT_SECRET_KEY)"),
        (Signalled(signal="SIGTERM"), "SIGTERM was sent to the service"),
    ],
)
def test_a_start_and_a_signal_are_described_in_words(event: Event, text: str) -> None:
    assert describe(History([event]), event) == text


CASES = (
    *(OwnTest(file="tests/test_a.py", name=f"test_{number}", outcome="failed") for number in range(4)),
    OwnTest(file="tests/test_b.py", name="Some.test_b", outcome="passed"),
)


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (OwnTests(cases=CASES[3:]), "own tests: 1 failed, 1 passed; failed: test_3 in tests/test_a.py"),
        (OwnTests(cases=CASES[4:], fault="no limit"), "own tests with the fault 'no limit': 1 passed"),
        (OwnTests(problem="pytest ended with 2"), "own tests: pytest ended with 2"),
        (OwnTests(), "own tests: there were none"),
    ],
)
def test_own_tests_are_described_in_words(run: OwnTests, text: str) -> None:
    assert describe(History([run]), run) == text


def test_of_many_own_tests_that_fail_a_few_are_named() -> None:
    run = OwnTests(cases=CASES)

    text = describe(History([run]), run)

    assert text.startswith("own tests: 4 failed, 1 passed; failed: test_0 in tests/test_a.py, ")
    assert text.endswith("test_2 in tests/test_a.py and 1 more")


def test_starvation_counts_from_the_fault_on_and_in_all_where_there_was_none() -> None:
    story = Story()
    story.now = 10.0
    history = story.end()

    assert starved(history) == 0.0
    assert starved(held_up(history, 1.2, 1.0)) == 0.0
    assert starved(held_up(history, 8.0, 3.0)) == pytest.approx(3.0)
    assert starved(held_up(Story(started=False).end(), 1.2, 1.0)) == pytest.approx(1.0)
