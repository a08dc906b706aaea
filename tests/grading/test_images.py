"""Whose failure a build of an image is, by what Docker says; and what builds share."""

import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from chaos.containers.engine import Engine, EngineError
from grading.errors import SubmissionError
from grading.images import TOO_LONG, Images, check_frontend, may_be_the_network, names_a_public_registry
from grading.start import Build, Requirements, StartPlan
from grading.workspace import Workspace
from tests.docker import docker

from .conftest import Repository

LOST = "dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host"
LEGACY = f'Step 1/3 : FROM python:3.13-slim\nGet "https://registry-1.docker.io/v2/": {LOST}\n'
BUILDKIT = (
    "------\n > [internal] load metadata for docker.io/library/python:3.13-slim:\n------\n"
    "ERROR: failed to solve: python:3.13-slim: failed to resolve source metadata for docker.io/library/python:3.13-slim:"
    f' failed to do request: Head "https://registry-1.docker.io/v2/library/python/manifests/3.13-slim": {LOST}'
)
SPOKEN = 'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host'


@pytest.mark.parametrize(
    "output",
    [
        LEGACY,
        BUILDKIT,
        LEGACY.replace("registry-1.docker.io", "ghcr.io"),
        "Step 1/2 : FROM python:3.13\ntoomanyrequests: You have reached your pull rate limit.",
    ],
)
def test_a_registry_that_everybody_uses_is_the_machines_failure(output: str) -> None:
    assert names_a_public_registry(output)


@pytest.mark.parametrize(
    "output",
    [
        LEGACY.replace("registry-1.docker.io", "images.invalid"),
        f"{SPOKEN}\nThe command '/bin/sh -c python setup.py' returned a non-zero code: 1\n",
        f"{SPOKEN}\nCOPY failed: file not found in build context or excluded by .dockerignore: stat it: file does not exist",
        f"COPY failed: file not found in build context or excluded by .dockerignore: stat {SPOKEN}: file does not exist",
        f"ERROR: failed to solve: process \"/bin/sh -c echo '{SPOKEN}'\" did not complete successfully: exit code: 1",
        "Step 1/1 : FROM ghcr.io/nobody/nothing\npull access denied for nobody/nothing, repository does not exist",
    ],
)
def test_what_a_submission_can_cause_or_say_is_not(output: str) -> None:
    assert not names_a_public_registry(output)


@pytest.mark.parametrize(
    "output", [TOO_LONG, SPOKEN, "ERROR: No space left on device", "error: 503 Server Error"]
)
def test_what_the_network_may_have_caused_is_tried_with_an_image_of_the_graders(output: str) -> None:
    assert may_be_the_network(output)


@pytest.mark.parametrize(
    "output",
    [
        "pull access denied for nothing",
        "error: No solution found when resolving dependencies",
        "exit code: 1",
    ],
)
def test_other_failures_are_the_submissions_without_a_trial(output: str) -> None:
    assert not may_be_the_network(output)


@pytest.mark.parametrize(
    "text",
    [
        "FROM python\n",
        "# syntax=docker/dockerfile:1.7\nFROM python\n",
        "#syntax = docker.io/docker/dockerfile-upstream:master-labs\n# escape=`\nFROM python\n",
        f"# syntax=docker/dockerfile:1@sha256:{'0' * 64} and more\n",
        "FROM python\n# syntax=somebody/else\n",
        "",
    ],
)
def test_dockers_own_frontend(text: str) -> None:
    check_frontend(Path("Dockerfile"), text)


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=somebody/else\nFROM python\n",
        "#!/bin/sh\n# check=skip=all\x0bFROM python\n#  Syntax = docker.io/somebody/dockerfile:1\n",
        "\n// syntax=docker/dockerfile.example.org/x\n",
        "# syntax=docker/dockerfile:1/../../somebody/else\n",
        '{"syntax": "somebody/else"}\n',
        "# syntax=\n",
    ],
)
def test_another_frontend_is_refused(text: str) -> None:
    with pytest.raises(SubmissionError, match=r"docker/Dockerfile .* `# syntax=docker/dockerfile:1`"):
        check_frontend(Path("docker/Dockerfile"), text)


class Empty(Engine):
    """An engine without any image."""

    async def call(self, method: str, path: str, *_: object, **parameters: object) -> Any:
        raise EngineError("no such image", 404)


async def test_the_caches_of_a_build_are_of_one_submission(
    repository: Repository, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    build = Build(Path("Dockerfile"), Path())
    start = StartPlan(("python", "serve.py"), Path(), Requirements(), "dockerfile", build=build)
    async with Empty() as engine:
        images = Images(engine, workspace, lambda _: None)
        for code in ("one", "another"):
            repository.write({"Dockerfile": "FROM python\n", "serve.py": code})
            await images.service(repository.submission(), start)

    found = re.findall(
        r"--build-arg BUILDKIT_CACHE_MOUNT_NS=([0-9a-f]{32}) ", (tmp_path / "said").read_text()
    )
    assert len(set(found)) == 2


@pytest.mark.slow
async def test_a_build_does_not_see_what_another_has_cached(
    repository: Repository, workspace: Workspace, python_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    if docker("build", "--help").returncode:
        pytest.skip("docker has no BuildKit")
    start = StartPlan(("x",), Path(), Requirements(), "dockerfile", build=Build(Path("Dockerfile"), Path()))
    mine = f"/cache/{secrets.token_hex(8)}"
    async with Engine() as engine:
        images = Images(engine, workspace, lambda _: None)
        for command in (f"touch {mine}", f"test ! -e {mine}"):
            mount = f"--mount=type=cache,id={Path(mine).name},target=/cache"
            repository.write({"Dockerfile": f"FROM {python_image}\nRUN {mount} {command}\n"})
            tag = await images.service(repository.submission(), start)
            await engine.call("DELETE", f"/images/{tag}")
