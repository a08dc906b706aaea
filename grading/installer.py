"""Runs uv and npm to make one environment, as this user and with this user's network."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from grading import node
from grading.command import Completed, run
from grading.errors import GradingError, MachineError, SubmissionError
from grading.recipe import GRADERS_PYTHON, Recipe

INSTALL_TIMEOUT = 600.0
_INHERITED = re.compile(
    r"PATH|HOME|LANG|LC_ALL|TMPDIR|XDG_(CACHE|CONFIG|DATA)_HOME|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|UV_\w+|PIP_\w+|((https?|all|no)_proxy)",
    re.IGNORECASE,
)
NO_PYTHON = re.compile(
    r"no interpreter found|python-build-standalone|incompatible with the project's python requirement|no download found",
    re.IGNORECASE,
)
_BUILD = re.compile(r"build backend (returned an error|failed)|failed to build", re.IGNORECASE)
_NOT_THERE = re.compile(r"status client error \((401|403|404|410)", re.IGNORECASE)
_MACHINE = re.compile(
    r"error sending request|failed to fetch|request failed|dns error|connection (refused|reset|closed)|timed out"
    r"|network (is )?(unreachable|was disabled)|status server error|429 too many|certificate|no space left|disk quota"
    r"|npm error code (ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT)"
    r"|read-only file system|permission denied|cannot allocate memory|too many open files|resource temporarily unavailable",
    re.IGNORECASE,
)


class Installer:
    """Runs uv, and npm where the submission needs Node.js, for one environment."""

    def __init__(self, uv: str, recipe: Recipe, attempt: Path, on_progress: Callable[[str], None]) -> None:
        self._uv = uv
        self._recipe = recipe
        self._wanted = recipe.requirements
        self._env = attempt / "env"
        self._root = attempt / "project"
        self._project = self._root / (self._wanted.project or Path())
        self._on_progress = on_progress
        self._node = node.find_node() if self._wanted.node is not None else None
        self._scripts = (
            frozenset[str]()
            if self._wanted.node is None
            else node.script_names(self._root / self._wanted.node)
        )
        self._tool = "uv"
        self._builds = False
        self._deadline = time.monotonic() + INSTALL_TIMEOUT

    async def install(self) -> None:
        await self._make()
        for folder, words in self._recipe.commands(str(self._env / "bin" / "python")):
            await self._checked(words, self._root / folder)
        await self._add_packages()

    async def _add_packages(self) -> None:
        """Have npm install what the package.json asks for, and build the service if it has to be."""
        if self._node is None or self._wanted.node is None:
            return
        self._tool = "npm"
        folder = self._root / self._wanted.node
        await self._npm(node.install_words(folder), folder)
        # All of them at once: what runs may put anything in place of the files that say what to run.
        for words in list(node.build_words(folder, self._scripts, build=self._wanted.node_build)):
            await self._npm(words, folder, builds=True)
        node.check_in_place(self._root, folder / node.MODULES / node.PROGRAMS)
        node.link_programs(folder / node.MODULES, self._env / "bin")

    async def _npm(self, words: Sequence[str], cwd: Path, *, builds: bool = False) -> None:
        """Run npm. Raises the failure of an installation; `builds` says that it runs code of the submission's."""
        assert self._node
        self._builds = builds
        environment = uv_environment(self._env) | node.variables_of(os.environ)
        environment["PATH"] = os.pathsep.join([str(self._env / "bin"), environment.get("PATH", "")])
        argv = [str(self._node.program), str(self._node.npm), *words]
        answer = await self._bounded(argv, cwd, environment)
        if answer.code != 0:
            raise self._failure(answer)

    async def _make(self) -> None:
        """Make an empty environment of the preferred Python, or else of one that fits."""
        wish = self._wanted.python
        answer = await self._run(
            ["venv", *(["--python", wish] if wish else self._own_python()), str(self._env)]
        )
        if answer.code != 0 and wish and NO_PYTHON.search(answer.output):
            self._on_progress(f"Python {wish} is neither installed nor available; using another")
            answer = await self._run(["venv", *self._own_python(), str(self._env)])
        if answer.code != 0:
            raise self._failure(answer)
        if self._node:
            node.link_node(self._node, self._env / "bin")

    def _own_python(self) -> list[str]:
        """Return the options for the grader's version of Python, unless the project's `requires-python` chooses."""
        return [] if self._wanted.project is not None else ["--python", GRADERS_PYTHON]

    async def _checked(self, words: Sequence[str], cwd: Path) -> None:
        answer = await self._run(words, cwd)
        if answer.code != 0:
            raise self._failure(answer)

    async def _run(self, words: Sequence[str], cwd: Path | None = None) -> Completed:
        argv = [self._uv, *words, "--color", "never", "--no-progress"]
        return await self._bounded(argv, cwd or self._project, uv_environment(self._env))

    async def _bounded(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Completed:
        try:
            return await run(
                argv,
                cwd=cwd,
                env=env,
                timeout=max(0.0, self._deadline - time.monotonic()),
            )
        except TimeoutError:
            raise MachineError(
                f"Installing {self._wanted.described} took longer than {INSTALL_TIMEOUT:.0f} s; try again."
            ) from None

    def _failure(self, answer: Completed) -> GradingError:
        """Return the failure of an installation; the output of uv or npm tells whose fault it is."""
        text, what = answer.output, self._wanted.described
        if self._tool == "npm" and not self._builds:
            text = node.reason_in(text)
        if NO_PYTHON.search(text):
            message = (
                "The Python that the submission asks for is not here; install it with `uv python install`."
            )
            return MachineError(message, detail=text)
        # A build runs the submission's code: what that says of networks and disks is its own.
        if (
            not self._builds
            and not _BUILD.search(text)
            and not _NOT_THERE.search(text)
            and _MACHINE.search(text)
        ):
            return MachineError(
                f"{what} could not be installed: the network or the disk failed; try again.", detail=text
            )
        return SubmissionError(
            f"{what} cannot be installed; fix it until `{self._tool}` can install it.", detail=text
        )


def uv_environment(env: Path) -> dict[str, str]:
    """Return the variables that uv has of this user's."""
    # An allow-list: builds run the submission's code, and must not see what else is in ours.
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    inherited.pop("UV_PROJECT", None)
    return inherited | {"UV_PROJECT_ENVIRONMENT": str(env)}
