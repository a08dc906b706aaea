"""What tests of every folder ask of the machine."""

import pytest

from tests.docker import PYTHON, docker, engine_answers


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
