"""What a submission has said, on the consoles of the command lines."""

import pytest

from grading.console import make_console, print_error
from grading.errors import SubmissionError

SAID = "::stop-commands::t\n##[add-mask]0"


@pytest.mark.parametrize("stderr", [False, True])
def test_github_actions_obeys_no_submission(
    *, stderr: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    print_error(SubmissionError("It cannot be installed.", detail=SAID), make_console(stderr=stderr))
    shown = "".join(capsys.readouterr())
    assert ": :stop-commands: :t\n## [add-mask]0\n" in shown


def test_elsewhere_all_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    print_error(SubmissionError("It cannot be installed.", detail=SAID), make_console())
    assert f"{SAID}\n" in capsys.readouterr().out
