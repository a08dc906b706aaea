"""Runs uv and npm to make one environment, in boxes that lead to package indexes alone."""

import asyncio
import re
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from grading.bounded import read_files
from grading.command import Completed, run
from grading.errors import GradingError, MachineError, SubmissionError
from grading.fetching import only_fetches
from grading.index_proxy import HOSTS_VARIABLE
from grading.install_box import BUILDING, FETCHING, FETCHING_ALONE, OFFLINE, Attempt, InstallBox
from grading.installer import Installer, uv_environment
from grading.recipe import Recipe
from grading.workspace import make_private, remove_tree

_VERSIONS = re.compile(r"[0-9.*<>=!~, ]{1,60}")
_COMPILE = "--compile-bytecode"
_NO_CODE = ("--no-build", "--no-build-isolation")
"""Wheels alone: nothing of a submission's or of a package's runs."""


class BoxedInstaller(Installer):
    """Installs what comes as wheels in one box, and else builds in another, which no cache is shared with."""

    def __init__(
        self,
        uv: str,
        recipe: Recipe,
        attempt: Attempt,
        on_progress: Callable[[str], None],
        box: InstallBox,
    ) -> None:
        super().__init__(str(Path(uv).resolve()), recipe, attempt.folder, on_progress)
        self._attempt = attempt
        self._box = box
        self._managed = Path()
        self._trust = OFFLINE

    async def install(self) -> None:
        await asyncio.to_thread(self._attempt.make)
        await asyncio.to_thread(make_private, self._box.cache)
        self._managed = Path((await self._outside("python", "dir")).stdout.decode().strip())
        await self._make()
        interpreters = self._interpreters()
        await self._fill()
        await self._add_packages()
        # A build may have put a link there that leads to any folder of this machine, which a service's box would then have.
        if self._interpreters() != interpreters:
            raise SubmissionError(
                f"Installing {self._wanted.described} replaced the interpreter of its environment; leave it in place."
            )
        await asyncio.to_thread(remove_tree, self._attempt.work)

    async def _make(self) -> None:
        if await self._wished_python_is_missing():
            self._on_progress(f"installing Python {self._wished_python()}")
            await self._outside("python", "install", self._wished_python())
        await super()._make()

    async def _wished_python_is_missing(self) -> bool:
        wish = self._wished_python()
        return bool(wish) and bool((await self._outside("python", "find", "--no-project", wish)).code)

    def _wished_python(self) -> str:
        """Return the version, or the range of versions, that the submission asks for; an empty string for none."""
        if self._wanted.python or self._wanted.project is None:
            return self._wanted.python or ""
        with (self._project / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file).get("project")
        wish = project.get("requires-python") if isinstance(project, dict) else None
        return wish if isinstance(wish, str) and _VERSIONS.fullmatch(wish) else ""

    async def _outside(self, *words: str) -> Completed:
        """Run uv as this user, on nothing of the submission's but a version."""
        try:
            return await run(
                [self._uv, "--no-config", *words],
                cwd=self._attempt.work,
                env=uv_environment(self._env),
                timeout=max(0.0, self._deadline - time.monotonic()),
            )
        except TimeoutError:
            raise MachineError(f"`uv {' '.join(words)}` took longer than it may; try again.") from None

    def _interpreters(self) -> list[Path]:
        return [(self._env / "bin" / name).resolve() for name in ("python", "python3", "node", "npm")]

    async def _fill(self) -> None:
        commands = self._recipe.commands(str(self._env / "bin" / "python"))
        if not commands:
            return
        if len(commands) == 1 and await asyncio.to_thread(
            read_files, lambda: only_fetches(self._recipe, self._root)
        ):
            [(folder, words)] = commands
            self._trust = FETCHING
            answer = await self._run(
                [*(word for word in words if word != _COMPILE), *_NO_CODE], self._root / folder
            )
            if answer.code == 0:
                await self._compile()
                return
            failure = self._failure(answer)
            await self._empty()
            if isinstance(failure, MachineError) and await self._is_the_machines():
                raise failure
        self._trust = BUILDING
        for folder, words in commands:
            await self._checked(words, self._root / folder)

    async def _is_the_machines(self) -> bool:
        """Whether a failure is the machine's, as uv's words say, which may be the submission's that uv quotes.

        Then the Python that it asks for is missing, or the index does not serve another package either.
        """
        if await self._wished_python_is_missing():
            return True
        self._trust = FETCHING
        words = ["pip", "install", "--dry-run", "--no-deps", "--refresh", "--python", str(self._env), "pip"]
        answer = await self._run(words, self._attempt.work / "home")
        return answer.code != 0 and isinstance(self._failure(answer), MachineError)

    async def _empty(self) -> None:
        """Make the environment again. uv starts what half an installation left in it, and takes that for a whole one."""
        await asyncio.to_thread(remove_tree, self._env)
        await asyncio.to_thread(self._attempt.make)
        self._trust = OFFLINE
        await super()._make()

    async def _npm(self, words: Sequence[str], cwd: Path, *, builds: bool = False) -> None:
        self._builds = builds
        self._trust = BUILDING if builds else FETCHING_ALONE
        assert self._node
        answer = await self._in_box([str(self._node.program), str(self._node.npm), *words], cwd)
        if answer.code != 0:
            raise self._failure(answer)

    async def _compile(self) -> None:
        """Compile all modules. That runs what the packages have start with the interpreter: in a box without a network."""
        self._trust = OFFLINE
        words = ["-m", "compileall", "-q", "-j", "0", str(self._env / "lib")]
        await self._in_box([str(self._env / "bin" / "python"), *words], self._project)

    async def _run(self, words: Sequence[str], cwd: Path | None = None) -> Completed:
        return await self._in_box(
            [self._uv, *words, "--color", "never", "--no-progress"], cwd or self._project
        )

    async def _in_box(self, argv: Sequence[str], cwd: Path) -> Completed:
        trust = self._trust
        try:
            answer, cause = await self._box.run(
                argv,
                attempt=self._attempt,
                cwd=cwd,
                trust=trust,
                managed=self._managed,
                node=self._node,
                timeout=max(0.0, self._deadline - time.monotonic()),
            )
        except TimeoutError:
            told = f"Installing {self._wanted.described} took longer than it may"
            if trust is FETCHING or trust is FETCHING_ALONE:
                raise MachineError(f"{told}; try again.") from None
            raise SubmissionError(f"{told}; make its build faster.") from None
        if cause:
            raise SubmissionError(f"Installing {self._wanted.described} was ended: it {cause}.")
        return answer

    def _failure(self, answer: Completed) -> GradingError:
        """Return the failure of an installation. What runs code of the submission's may say anything, so that does not count."""
        if self._box.proxy.refused:
            hosts = ", ".join(self._box.proxy.refused)
            return SubmissionError(
                f"{self._wanted.described} leads to {hosts}, which is not a package index of this machine; use its index, or"
                f" have {HOSTS_VARIABLE} name that host.",
                detail=answer.output,
            )
        failure = super()._failure(answer)
        if self._trust is FETCHING_ALONE and self._box.proxy.unreached:
            hosts = ", ".join(self._box.proxy.unreached)
            return MachineError(
                f"npm's registry, {hosts}, was not reached; try again.", detail=failure.detail
            )
        if self._trust is BUILDING and isinstance(failure, MachineError) and not self._box.proxy.unreached:
            return SubmissionError(
                f"{self._wanted.described} cannot be installed; fix it until `{self._tool}` can install it.",
                detail=answer.output,
            )
        return failure
