from chaos.history import Call, Reply
from grading.calibrate.smoke import Smoke, smoke
from tests.lab.story import Story


def failing_model(story: Story) -> None:
    story.add(Call(call=99, upstream="litellm", method="POST", path="/v1/chat/completions", connection=1))
    story.add(Reply(call=99, outcome="answered", status=503))


def test_a_service_that_works_and_says_retry_satisfies_it() -> None:
    story = Story()
    failing_model(story)
    story.log('{"message": "Retrying", "delay": 1}')

    seen = smoke({"one": story.end()})

    assert seen == Smoke(up=True, answered=True, says_retry=True)
    assert seen.satisfied is True


def test_the_word_is_looked_for_in_every_log() -> None:
    quiet, loud = Story("quiet"), Story("loud")
    failing_model(quiet)
    loud.log("will retry")

    assert smoke({"quiet": quiet.end(), "loud": loud.end()}).satisfied is True


def test_it_misses_the_word_where_the_model_failed() -> None:
    story = Story()
    failing_model(story)

    assert smoke({"one": story.end()}).satisfied is False


def test_it_cannot_tell_where_the_model_never_failed() -> None:
    seen = smoke({"one": Story().end()})

    assert seen == Smoke(up=True, answered=True, says_retry=None)
    assert seen.satisfied is None


def test_it_sees_that_the_service_is_down() -> None:
    seen = smoke({"one": Story(started=False).end()})

    assert (seen.up, seen.answered, seen.satisfied) == (False, False, False)
