"""Images for graded services and for the lab, built once for the same content.

A service's image is its submission's own where a Dockerfile describes one, and else has what the submission needs
installed, and nothing else. Either way it is what the service runs *in*: the code that runs is the experiment's copy.
"""

import asyncio
import hashlib
import inspect
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from chaos.containers import doorway
from chaos.containers.engine import Engine, EngineError
from chaos.toxiproxy import find_server
from grading.command import run
from grading.errors import MachineError, SubmissionError
from grading.recipe import Recipe
from grading.runtime import Announce
from grading.start import Build, StartPlan
from grading.submission import Submission
from grading.workspace import Workspace

LABEL: Final = "llm-grading.image"
PYTHON_IMAGE: Final = "PYTHON_IMAGE"
TOXIPROXY_IMAGE: Final = "TOXIPROXY_IMAGE"
"""Variables that name other images than the public ones."""
_DEFAULTS: Final = {PYTHON_IMAGE: "python:3.11-slim", TOXIPROXY_IMAGE: "ghcr.io/shopify/toxiproxy:2.12.0"}

BUILD_SECONDS: Final = 1200.0
TOO_LONG: Final = f"it took longer than {BUILD_SECONDS:.0f} s"
BUILD_MEMORY: Final = 4 * 2**30
"""Bytes for each step of a build; BuildKit, which removes what is left of a failed one by itself, knows no such bound."""
_FORMAT: Final = "1"
_ENVIRONMENT: Final = "/opt/venv"
_INHERITED: Final = re.compile(
    r"PATH|HOME|LANG|XDG_\w+|DOCKER_\w+|BUILDKIT_\w+|((https?|all|no)_proxy)", re.IGNORECASE
)
_NETWORK: Final = re.compile(
    r"no such host|connection (refused|reset)|i/o timeout|timed? ?out|tls: |unreachable|name resolution|failure resolving"
    r"|not resolve host|toomanyrequests|too many requests"
    r"|no space left|docker daemon|dns error|error sending request|certificate|\beof\b|\b50[0-9]\b",
    re.IGNORECASE,
)
_REGISTRY: Final = re.compile(
    r"""^(?:ERROR:\ failed\ to\ solve:\ \S+:\ failed\ to\ resolve\ source\ metadata\ for\ \S+:\ [^"]*)?
    (?:Get|Head)\ "https?://([^/"]+)/""",
    re.VERBOSE,
)
"""How Docker says that it could not ask a registry for a base image, the legacy builder or BuildKit."""
_PUBLIC_REGISTRIES: Final = re.compile(
    r"(\w[\w-]*\.)?docker\.io|(\w[\w-]*\.)?gcr\.io|ghcr\.io|quay\.io|mcr\.microsoft\.com|public\.ecr\.aws"
)

_SYNTAX: Final = re.compile(r"\s*(?:#|//)\s*syntax\s*=\s*(\S*)", re.IGNORECASE)
_DOCKERS_OWN: Final = re.compile(
    r"(docker\.io/)?docker/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?"
)

_LAB: Final = """\
FROM {python}
COPY toxiproxy-server /usr/local/bin/toxiproxy-server
COPY doorway.py /
ENTRYPOINT ["python3", "-I", "/doorway.py"]
"""
_LAB_FROM_IMAGE: Final = "FROM {toxiproxy} AS toxiproxy\n" + _LAB.replace(
    "COPY toxiproxy-server", "COPY --from=toxiproxy /toxiproxy"
)
_SERVICE: Final = """\
FROM {python}
RUN pip install --no-cache-dir uv
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 VIRTUAL_ENV={environment} PATH={environment}/bin:$PATH
ENV UV_PROJECT_ENVIRONMENT={environment}
COPY project /project
WORKDIR /project
RUN uv venv {environment}
{commands}
"""
_CONTROL: Final = "FROM {python}\nRUN pip download --no-cache-dir --no-deps --dest /tmp pip\n"
"""Whatever the grader's own image can do, a submission's may blame on nobody else."""


class Images:
    """Builds the images of one run, with an engine that has them afterwards."""

    def __init__(self, engine: Engine, workspace: Workspace, announce: Announce) -> None:
        self._engine = engine
        self._workspace = workspace
        self._announce = announce

    async def lab(self) -> str:
        """Return the image of the lab's container: the real Toxiproxy of this machine, or else of its public image.

        Raises MachineError.
        """
        context = self._workspace.folder("lab-image")
        source = inspect.getsource(doorway)
        server = find_server()
        text = (_LAB if server else _LAB_FROM_IMAGE).format(
            python=_image(PYTHON_IMAGE), toxiproxy=_image(TOXIPROXY_IMAGE)
        )
        binary = await asyncio.to_thread(server.read_bytes) if server else b""
        tag = f"llm-grading/lab:{_digest([text.encode(), source.encode(), binary])}"
        if await self._has(tag):
            return tag
        self._announce("building the lab's image")
        (context / "Dockerfile").write_text(text, encoding="utf-8")
        (context / "doorway.py").write_text(source, encoding="utf-8")
        if server:
            shutil.copy(server, context / "toxiproxy-server")
        code, output = await self._build(tag, context / "Dockerfile", context)
        if code:
            raise MachineError(
                f"The lab's image cannot be built; put toxiproxy-server on PATH, or name images in {PYTHON_IMAGE} and"
                f" {TOXIPROXY_IMAGE}.",
                detail=output,
            )
        return tag

    async def service(self, submission: Submission, start: StartPlan) -> str:
        """Return the image that a submission's services run in. Raises SubmissionError and MachineError."""
        if start.requirements.node is not None:
            raise MachineError(
                "Services of Node.js are not graded in containers; choose --runtime sandbox or process."
            )
        if start.build:
            return await self._own(submission, start.build)
        return await self._standard(submission, start)

    async def _own(self, submission: Submission, build: Build) -> str:
        check_frontend(build.dockerfile, submission.text(build.dockerfile) or "")
        context = submission.root / build.context
        parts = await asyncio.to_thread(lambda: list(_contents(context)))
        digest = _digest([repr(build).encode(), *parts])
        tag = f"llm-grading/submission:{digest}"
        if not await self._has(tag):
            self._announce(f"building {build.dockerfile}")
            # The caches of `RUN --mount=type=cache` outlive a build: without this, all submissions would share them.
            more = ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={digest}"]
            more += ["--target", build.target] if build.target else []
            code, output = await self._build(tag, submission.root / build.dockerfile, context, more)
            if code:
                message = f"{build.dockerfile} cannot be built; fix it until `docker build` succeeds."
                raise await self._failure(message, output)
        return tag

    async def _standard(self, submission: Submission, start: StartPlan) -> str:
        recipe = await asyncio.to_thread(Recipe.of, submission, start.requirements)
        wish = start.requirements.python
        python = os.environ.get(PYTHON_IMAGE) or (f"python:{wish}-slim" if wish else _image(PYTHON_IMAGE))
        text = _SERVICE.format(
            python=python, environment=_ENVIRONMENT, commands="\n".join(_run_lines(recipe))
        )
        tag = f"llm-grading/environment:{_digest([text.encode(), recipe.key.encode()])}"
        if not await self._has(tag):
            self._announce(f"building an image with {start.requirements.described}")
            context = self._workspace.folder("image")
            await asyncio.to_thread(recipe.copy, submission, context / "project")
            (context / "Dockerfile").write_text(text, encoding="utf-8")
            code, output = await self._build(tag, context / "Dockerfile", context)
            if code:
                described = start.requirements.described
                message = f"{described} cannot be installed; fix it until `uv` can install it."
                raise await self._failure(message, output)
        return tag

    async def _has(self, tag: str) -> bool:
        try:
            await self._engine.call("GET", f"/images/{tag}/json")
        except EngineError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _build(
        self, tag: str, dockerfile: Path, context: Path, more: Sequence[str] = ()
    ) -> tuple[int, str]:
        """Run `docker build`, which has what the bare engine lacks: BuildKit, where it is installed.

        Returns its exit code and output; one that takes too long has failed.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise MachineError("There is no `docker` to build images with; install Docker's command line.")
        bounds = ["--force-rm", "--memory", str(BUILD_MEMORY), "--memory-swap", str(BUILD_MEMORY)]
        named = ["--label", LABEL, "--tag", tag, "--file", str(dockerfile)]
        words = ["build", *bounds, *named, *more, str(context)]
        try:
            ended = await run([docker, *words], cwd=context, env=_environment(), timeout=BUILD_SECONDS)
        except TimeoutError:
            return 1, TOO_LONG
        return ended.code, ended.output

    async def _failure(self, message: str, output: str) -> SubmissionError | MachineError:
        """Whose failure a build is. What a build prints is the submission's, so the grader's own has to fail too."""
        if names_a_public_registry(output) or (may_be_the_network(output) and not await self._can_build()):
            return MachineError(
                "The image could not be built: a base image or the network is missing; try again.",
                detail=output,
            )
        return SubmissionError(message, detail=output)

    async def _can_build(self) -> bool:
        """Whether an image that needs the package index can be built now."""
        tag = f"llm-grading/control:{secrets.token_hex(8)}"
        context = self._workspace.folder("control-image")
        (context / "Dockerfile").write_text(_CONTROL.format(python=_image(PYTHON_IMAGE)), encoding="utf-8")
        code, _ = await self._build(tag, context / "Dockerfile", context, ["--no-cache"])
        if code:
            return False
        await self._engine.call("DELETE", f"/images/{tag}")
        return True


def check_frontend(path: Path, text: str) -> None:
    """Raise SubmissionError if a Dockerfile has another program than Docker's own read it for BuildKit.

    That program is an image that the line `# syntax=` names. It could use the caches of other submissions.
    """
    for line in text.split("\n"):
        found = _SYNTAX.match(line)
        if line.lstrip().startswith("{") or (found and not _DOCKERS_OWN.fullmatch(found[1])):
            raise SubmissionError(
                f"{path} names a frontend that is not Docker's own; write `# syntax=docker/dockerfile:1`, or leave it out."
            )
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            return


def names_a_public_registry(output: str) -> bool:
    """Whether a build ended since Docker could not ask one of those registries that everybody uses.

    Only Docker's last line counts: those before it may be a program's.
    """
    last = output.rstrip().rpartition("\n")[2]
    found = _REGISTRY.match(last)
    return last.startswith("toomanyrequests:") or (
        found is not None and bool(_PUBLIC_REGISTRIES.fullmatch(found[1]) and _NETWORK.search(last))
    )


def may_be_the_network(output: str) -> bool:
    """Whether a build says anything of networks and disks, or took too long."""
    return output == TOO_LONG or bool(_NETWORK.search(output))


def _run_lines(recipe: Recipe) -> Iterator[str]:
    for folder, words in recipe.commands(f"{_ENVIRONMENT}/bin/python"):
        yield f"RUN cd {shlex.quote(str(folder))} && {shlex.join(['uv', *words])}"


def _image(variable: str) -> str:
    return os.environ.get(variable) or _DEFAULTS[variable]


def _contents(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            mode = path.stat().st_mode & 0o777
            yield f"{path.relative_to(folder)}\0{mode}".encode(errors="surrogateescape")
            yield path.read_bytes()


def _digest(parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


def _environment() -> Mapping[str, str]:
    # An allow-list: what is in ours is none of a submission's business.
    return {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
