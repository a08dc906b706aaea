import pytest

from grading.classroom.runner import default_jobs, jobs_for


@pytest.mark.parametrize(
    ("processors", "megabytes", "jobs"),
    [(2, 8000, 3), (2, 4000, 2), (1, 8000, 1), (8, 64000, 12), (8, 500, 1), (4, None, 6)],
)
def test_processors_and_memory_bound_the_jobs(processors: int, megabytes: int | None, jobs: int) -> None:
    assert jobs_for(processors, megabytes) == jobs


def test_this_machine_bears_one() -> None:
    assert default_jobs() >= 1
