import pytest

from chaos.history import Call, Failure, HarnessFault, Launched, Phase, Ready, Reply, Signalled, Skipped
from lab import control
from tests.lab.story import Story


def test_a_working_service_is_in_control() -> None:
    history = Story().end()

    assert control.problem(history) is None
    assert control.interrupted(history) is None


def test_a_service_that_exits_at_start_fails_with_its_code() -> None:
    story = Story(started=False)
    story.crash(3, "ValueError: JWT_SECRET_KEY is missing")
    history = story.end()

    verdict = control.problem(history)

    assert verdict
    assert verdict.status == "failed"
    assert "exited with code 3" in verdict.actual
    assert control.log_tail(history) == ["ValueError: JWT_SECRET_KEY is missing"]


@pytest.mark.parametrize(("code", "named"), [(2, True), (1, False)])
def test_a_command_that_misses_options_is_told_who_gets_them(code: int, named: bool) -> None:  # noqa: FBT001
    story = Story(started=False)
    story.crash(code, "serve.py: error: the following arguments are required: --host, --port")

    verdict = control.problem(story.end())

    assert verdict
    assert ("only known servers" in verdict.actual) == named


BIND_ERROR = (
    "[Errno 98] error while attempting to bind on address ('127.0.0.1', 15001): address already in use"
)


def test_a_service_that_lost_its_port_to_another_program_is_not_judged() -> None:
    story = _started()
    story.answer(story.ask("login", path="/auth/login"), 401)
    story.crash(1, BIND_ERROR)

    verdict = control.problem(story.end())

    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "machine")


def _not_bound(story: Story) -> bool:
    return control.port_taken(story.end()) is not None


def test_a_service_that_the_lab_has_ended_had_its_port() -> None:
    story = _started()
    story.log("metrics port 9090 not opened: [Errno 98] Address already in use")
    story.add(Signalled(signal="SIGTERM"))
    story.crash(0)

    assert not _not_bound(story)


def test_a_service_that_exits_before_the_lab_ends_it_may_have_had_no_port() -> None:
    story = _started()
    story.crash(1, BIND_ERROR)
    story.now = 2.0
    story.add(Signalled(signal="SIGTERM"))

    assert _not_bound(story)


def test_a_service_that_a_prompt_has_come_through_had_its_port() -> None:
    story = Story()
    story.crash(1, "metrics port 9090 not opened: [Errno 98] Address already in use")

    assert not _not_bound(story)


def test_a_service_that_lost_its_first_port_is_judged_on_its_second() -> None:
    story = Story(started=False)
    story.crash(1, BIND_ERROR)
    story.now = 1.0
    story.add(Launched(command="uvicorn api.main:app", cwd="/srv"))
    story.add(Ready())

    verdict = control.problem(story.end())

    assert verdict
    assert "POST /auth/login" in verdict.actual


def test_a_service_that_finds_every_port_in_use_has_one_of_its_own() -> None:
    story = Story(started=False)
    for start in range(control.START_TRIES):
        story.now = float(start)
        if start:
            story.add(Launched(command="python serve.py", cwd="/srv"))
        story.crash(1, BIND_ERROR)

    verdict = control.problem(story.end())

    assert verdict
    assert (verdict.status, verdict.blame) == ("failed", "submission")
    assert "a port of its own" in verdict.actual


def test_a_service_that_never_opens_its_port_fails() -> None:
    verdict = control.problem(Story(started=False).end())

    assert verdict
    assert verdict.status == "failed"
    assert "did not answer on the port" in verdict.actual
    assert "`{port}`" in verdict.actual


def test_a_start_that_was_not_tried_again_names_the_one_that_failed() -> None:
    story = Story(started=False)
    story.add(Skipped(experiment="hang"))

    verdict = control.problem(story.end())

    assert verdict
    assert verdict.status == "failed"
    assert "'hang'" in verdict.actual


def test_a_fault_of_the_harness_is_not_judged_even_where_the_service_failed_too() -> None:
    story = Story(started=False)
    story.crash(1)
    story.add(HarnessFault(reason="the proxy died"))

    verdict = control.problem(story.end())

    assert verdict
    assert (verdict.status, verdict.blame, verdict.actual) == ("not judged", "harness", "the proxy died")


def _started() -> Story:
    story = Story(started=False)
    story.add(Ready())
    story.add(Phase(name="control"))
    return story


def _logged_in() -> Story:
    story = _started()
    story.answer(story.ask("login", path="/auth/login"))
    return story


@pytest.mark.parametrize(("code", "ending"), [(-11, "was ended by SIGSEGV"), (1, "exited with code 1")])
def test_a_service_that_ends_by_a_login_is_told(code: int, ending: str) -> None:
    story = _started()
    story.answer(story.ask("login", path="/auth/login"), 502)
    story.crash(code)
    story.now += 1.0
    request = story.ask("login", path="/auth/login")
    story.add(Failure(request=request.request, error="refused", elapsed=0.0))
    story.now += 1.0
    story.crash(0)

    verdict = control.problem(story.end())

    assert verdict
    assert f"got no answer with nothing broken, because the service {ending}" in verdict.actual


def test_a_login_that_creates_something_is_told_what_its_status_should_be() -> None:
    story = _started()
    story.answer(story.ask("login", path="/auth/login"), 201)

    verdict = control.problem(story.end())

    assert verdict
    assert verdict.actual.endswith("/auth/login answered 201 instead of 200 with nothing broken")


def test_a_service_that_is_stopped_after_a_login_is_not_blamed_for_its_exit() -> None:
    story = _started()
    request = story.ask("login", path="/auth/login")
    story.add(Failure(request=request.request, error="timeout", elapsed=10.0))
    story.now += 1.0
    story.crash(0)

    verdict = control.problem(story.end())

    assert verdict
    assert verdict.actual.endswith("/auth/login got no answer with nothing broken")


def test_a_login_that_fails_leaves_nothing_to_judge() -> None:
    story = _started()
    story.answer(story.ask("login", path="/auth/login"), 500)

    verdict = control.problem(story.end())

    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "submission")
    assert "/auth/login answered 500" in verdict.actual


@pytest.mark.parametrize("status", [404, 500])
def test_a_generate_that_fails_unprovoked_leaves_nothing_to_judge(status: int) -> None:
    story = _logged_in()
    story.answer(story.ask("control"), status)

    verdict = control.problem(story.end())

    assert verdict
    assert (verdict.status, verdict.blame) == ("not judged", "submission")
    assert f"answered {status}" in verdict.actual


def test_a_canned_answer_is_no_control() -> None:
    story = _logged_in()
    request = story.ask("control")
    story.call(request)
    story.answer(request, body={"response": f"You asked about {request.key}."})

    verdict = control.problem(story.end())

    assert verdict
    assert "not with the model's answer" in verdict.actual


def test_an_answer_without_a_model_call_is_no_control() -> None:
    story = _logged_in()
    story.answer(story.ask("control"))

    verdict = control.problem(story.end())

    assert verdict
    assert "never called" in verdict.actual


def test_a_later_try_of_the_control_request_counts() -> None:
    story = _logged_in()
    story.answer(story.ask("control"), 500)
    story.serve("control")

    assert control.problem(story.end()) is None


def test_a_prompt_that_went_to_another_path_is_told() -> None:
    story = _logged_in()
    request = story.ask("control")
    story.add(
        Call(
            call=1,
            upstream="litellm",
            method="POST",
            path="/v1/v1/chat/completions",
            connection=1,
            key=request.key,
            counted=False,
        )
    )
    story.add(Reply(call=1, outcome="answered", status=404))
    story.answer(request, 502)

    verdict = control.problem(story.end())

    assert verdict
    assert verdict.actual.endswith(
        "answered 502 with nothing broken; it sent the prompt to /v1/v1/chat/completions, which the model does not have"
    )
