"""What tests of every folder ask of the machine, and how they run side by side."""

from pathlib import Path

import pytest

from tests.docker import PYTHON, docker, engine_answers

HERE = Path(__file__).parent
GROUPS = {
    "docker": (
        "test_compose.py",
        "chaos/containers",
        "chaos/demo/test_service.py",
        "grading/test_containers.py",
        "grading/stack/test_compose.py",
    ),
    "starved": ("grading/starved",),
}
"""Tests of a group run one after the other: they share the Docker engine, or need the processor to starve on."""
LONGEST = (
    "test_compose.py",
    "grading/starved",
    "test_demo.py",
    "test_whole_exam.py",
    "test_contracts.py",
    "test_calibration.py",
    "grading/calibrate/test_commands.py",
    "grading/test_containers.py",
    "grading/test_cli.py",
    "test_toy_assessment.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, places in GROUPS.items():
            if _is_in(item, places):
                item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=_order)


def _order(item: pytest.Item) -> int:
    return next((place for place, name in enumerate(LONGEST) if _is_in(item, (name,))), len(LONGEST))


def _is_in(item: pytest.Item, places: tuple[str, ...]) -> bool:
    return any(item.path.is_relative_to(HERE / place) for place in places)


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """Skip what needs a Docker engine if none answers."""
    if not engine_answers():
        pytest.skip("no Docker engine answers")


@pytest.fixture(scope="session")
def docker_compose(docker_engine: None) -> None:
    if docker("compose", "version").returncode:
        pytest.skip("no `docker compose`")


@pytest.fixture(scope="session")
def python_image(docker_engine: None) -> str:
    """The image of Python that tests run in containers."""
    if docker("image", "inspect", PYTHON).returncode and docker("pull", PYTHON, seconds=600).returncode:
        pytest.skip(f"{PYTHON} is not here and cannot be pulled")
    return PYTHON
