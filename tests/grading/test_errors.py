import pytest

from grading.errors import GradingError, MachineError, SubmissionError, UsageError


def test_the_detail_is_the_end_of_the_output_and_bounded() -> None:
    error = SubmissionError("It failed.", detail="\n".join(f"{number} {'x' * 400}" for number in range(50)))
    lines = error.detail.splitlines()
    assert [line.split()[0] for line in lines] == [str(number) for number in range(30, 50)]
    assert {len(line) for line in lines} == {300}
    assert lines[-1].endswith("…")


def test_output_cannot_steer_the_terminal() -> None:
    error = SubmissionError(
        "It failed.", detail="\x1b[2J\x1b]0;owned\x07red\x1b[31m\x00 alert\r\nprogress 1\rprogress 2"
    )
    assert error.detail == "red  alert\nprogress 1\nprogress 2"


@pytest.mark.parametrize("kind", [UsageError, SubmissionError, MachineError])
def test_passwords_in_urls_are_masked(kind: type[GradingError]) -> None:
    error = kind("https://me:s3cret@host/x.git failed.", detail="fatal: https://me:s3cret@host/x.git")
    assert "s3cret" not in str(error) + error.message + error.detail
    assert error.message == "https://***@host/x.git failed."
