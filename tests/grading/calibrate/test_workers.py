import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from grading.calibrate.workers import side_by_side

pytestmark = pytest.mark.medium


def double(number: int) -> int:
    return 2 * number


def die_of_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_every_task_is_done_once_whatever_the_number_of_processes() -> None:
    for jobs in (1, 2, 9):
        assert sorted(side_by_side(double, range(5), jobs)) == [(one, 2 * one) for one in range(5)]


def test_a_task_that_kills_its_process_is_told_and_the_rest_is_done() -> None:
    assert sorted(side_by_side(die_of_three, range(6), 2), key=lambda pair: pair[0]) == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, "its process ended with exit code -9"),
        (4, 4),
        (5, 5),
    ]


def test_ctrl_c_ends_all_processes_at_once_and_without_a_word_of_theirs(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(
        textwrap.dedent("""\
            import os, time

            def work(number):
                os.write(1, f"{os.getpid()}\\n".encode())  # at once: two of them write to the same pipe
                time.sleep(600)
            """)
    )
    (tmp_path / "main.py").write_text(
        textwrap.dedent("""\
            from grading.calibrate.workers import side_by_side
            from work import work

            if __name__ == "__main__":
                try:
                    list(side_by_side(work, range(50), 2))
                except KeyboardInterrupt:
                    print("interrupted", flush=True)
            """)
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as main:
        assert main.stdout
        try:
            workers = [int(main.stdout.readline()) for _ in range(2)]
            os.killpg(main.pid, signal.SIGINT)  # as a terminal does: to all of them
            output, errors = main.communicate(timeout=30)
        finally:
            main.kill()

    assert (main.returncode, output, errors) == (0, "interrupted\n", "")
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
