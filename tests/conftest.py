"""Which tests run when and beside which others, and what tests of every folder ask of the machine."""

import contextlib
import gc
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from chaos.toxiproxy import find_server
from grading.images import TOXIPROXY_IMAGE
from grading.workspace import remove_tree
from tests.docker import PYTHON, docker, engine_answers

OWN_FOLDER = pytest.StashKey[Path]()
WORKERS_PER_CORE = 2
"""Tests mostly wait: for services to start, and for promised seconds to pass."""
MOST_WORKERS = 16
LONGEST = (
    "tests/grading/test_containers.py",
    "tests/test_compose.py",
    "tests/test_calibration.py",
    "tests/test_whole_exam.py",
    "tests/test_other_assessments.py",
    "tests/grading/starved/",
    "tests/grading/test_killed.py",
    "tests/test_demo.py",
    "tests/test_contracts.py",
    "tests/test_toy_assessment.py",
    "tests/grading/classroom/test_class.py",
    "tests/grading/classroom/test_cluster.py",
)
"""These start first, so that no worker is left with one of them when the others are done."""
SPREAD = (
    "tests/test_contracts.py",
    "tests/test_whole_exam.py",
    "tests/test_other_assessments.py",
    "tests/grading/starved/",
    "tests/grading/classroom/test_class.py",
    "tests/grading/classroom/test_cluster.py",
    "tests/grading/test_killed.py",
    "tests/grading/stack/",
    "tests/hostile/",
    "tests/grading/test_cli.py",
    "tests/grading/test_environment.py",
    "tests/chaos/demo/test_cli.py",
)
"""Their tests take long and have no fixture in common; those of any other file stay on one worker."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands whole files to workers, in the order of collection, and single tests of the files in SPREAD."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SPREAD) else nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give every run a folder of its own: what a killed one left in pytest's usual folder would fail this one.

    Nothing of what is collected is garbage, so the collector rests until then: to visit it all takes half of the time.
    A shell ignores Ctrl-C in what it runs in the background, and whoever inherits that cannot be tested with it.
    """
    gc.disable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = tempfile.mkdtemp(prefix="tests-")
        config.stash[OWN_FOLDER] = Path(config.option.basetemp)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove the folder, unless a failure may be looked for there; pytest's own way fails on deep trees."""
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder and exitstatus == pytest.ExitCode.OK:
        remove_tree(folder)


def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS_PER_CORE * len(os.sched_getaffinity(0)), MOST_WORKERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests from the garbage collector, which would take a tenth of the time."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    for turn, path in enumerate(LONGEST):
        if item.nodeid.startswith(path):
            return turn
    return len(LONGEST) + (item.get_closest_marker("slow") is None)


@pytest.fixture
def grading_slot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold one of as many places as there are processors, for tests that grade whole submissions.

    A grading measures times: with more of them side by side, what they say is about the machine.
    """
    slots = _grading_slots(tmp_path_factory)
    while True:
        for slot in slots:
            with contextlib.suppress(Timeout), slot.acquire(timeout=0):
                yield
                return
        time.sleep(0.2)


@pytest.fixture
def all_grading_slots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold all places, for a submission that would starve those beside it."""
    with contextlib.ExitStack() as held:
        for slot in _grading_slots(tmp_path_factory):
            held.enter_context(slot)
        yield


def _grading_slots(tmp_path_factory: pytest.TempPathFactory) -> list[FileLock]:
    shared = tmp_path_factory.getbasetemp().parent  # of all workers of this run
    return [FileLock(shared / f"grading-slot-{number}") for number in range(len(os.sched_getaffinity(0)))]


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


@pytest.fixture(scope="session")
def container_runtime(python_image: str) -> None:
    """Skip what grades in containers if the real fault proxy can be had neither as a program nor as an image."""
    image = os.environ.get(TOXIPROXY_IMAGE) or "ghcr.io/shopify/toxiproxy:2.12.0"
    if find_server() or not docker("image", "inspect", image).returncode:
        return
    if docker("pull", image, seconds=600).returncode:
        pytest.skip("there is no toxiproxy-server, and its image cannot be pulled")
