import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from chaos.containers.container import Confines, Container, Plan
from chaos.containers.enclave import Enclave, enclave
from chaos.containers.engine import Engine
from chaos.recorder import Recorder
from grading.errors import GradingError
from grading.images import Images
from grading.workspace import Workspace

# Of this process alone: other tests have containers on the same engine at the same time.
LABELS = {"llm-grading.test": secrets.token_hex(4)}
LABELLED = json.dumps({"label": [f"{key}={value}" for key, value in LABELS.items()]})
NOBODY = "65532:65532"

Run = Callable[..., Awaitable[Container]]


@pytest.fixture
async def engine(docker_engine: None) -> AsyncIterator[Engine]:
    async with Engine() as engine:
        yield engine


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def run(engine: Engine, python_image: str, recorder: Recorder, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs Python programs in containers, which are gone at the end of the test."""
    folder = tmp_path / secrets.token_hex(4)
    folder.mkdir()
    folder.chmod(0o777)
    async with AsyncExitStack() as stack:

        async def start(
            program: str, *words: str, network: str = "none", confines: Confines | None = None
        ) -> Container:
            plan = Plan(
                image=python_image,
                argv=["python3", "-u", "-c", program, *words],
                env={"HOME": "/srv/exam"},
                folder=folder,
                mount="/srv/exam",
                cwd="/srv/exam",
                user=NOBODY,
                network=network,
                labels=LABELS,
                confines=confines or Confines(),
            )
            return await stack.enter_async_context(await Container.start(engine, plan, recorder=recorder))

        yield start


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    with Workspace.open(tmp_path) as workspace:
        yield workspace


@pytest.fixture
async def inside(engine: Engine, workspace: Workspace) -> AsyncIterator[Enclave]:
    async with new_enclave(engine, workspace) as made:
        yield made


@pytest.fixture
async def other(engine: Engine, tmp_path: Path) -> AsyncIterator[Enclave]:
    """The enclave of another run."""
    (tmp_path / "other").mkdir()
    with Workspace.open(tmp_path / "other") as workspace:
        async with new_enclave(engine, workspace) as made:
            yield made


@asynccontextmanager
async def new_enclave(engine: Engine, workspace: Workspace) -> AsyncIterator[Enclave]:
    """An enclave of a run's own."""
    try:
        image = await Images(engine, workspace, lambda _: None).lab()
    except GradingError as error:
        pytest.skip(f"{error.message} {error.detail}")
    async with enclave(engine, image, workspace.folder("lab"), LABELS, seed=1) as made:
        yield made
