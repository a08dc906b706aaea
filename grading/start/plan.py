"""How a submission's service is started: what its files say, or else the contract's defaults.

The first of these that there is decides:

1. `[tool.grading]` in pyproject.toml: `command` (a string or a list), `cwd`, `requirements`;
2. the contract's service in the compose file, and the Dockerfile that it builds;
3. the first of the contract's Dockerfiles that there is;
4. the contract's main module, as part of a package or as a flat module.
"""

import ast
import os
import posixpath
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from chaos.contract import StartDefaults
from grading.errors import SubmissionError
from grading.start import compose, dockerfile, requirements, serve
from grading.start.dockerfile import Command, Stage
from grading.start.errors import UnclearStartError
from grading.start.installs import Install
from grading.start.layout import Layout
from grading.start.requirements import Requirements
from grading.start.serve import Start
from grading.submission import Submission, inside

Source = Literal["tool.grading", "compose", "dockerfile", "default"]

_OF_THE_MACHINE = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "SHELL",
        "HOST",
        "PORT",
        "VIRTUAL_ENV",
        "PYTHONHOME",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
    }
)
_KEYS = ("command", "cwd", "requirements", "assessment")


@dataclass(frozen=True)
class Build:
    """An image that the submission's own files describe: a Dockerfile, its context and a stage, if not the last."""

    dockerfile: Path
    context: Path
    target: str | None = None


@dataclass(frozen=True)
class StartPlan:
    """How to start one instance of a submission's service, in a copy of its files.

    `command` and `env` are templates with `{root}`, `{host}` and `{port}`; `cwd` is relative to the
    root of the copy. Where `shell` names one, the command is its words, run after `before`. `build` is the image that
    the command is meant for, if the submission has one.
    """

    command: tuple[str, ...]
    cwd: Path
    requirements: Requirements
    source: Source
    env: Mapping[str, str] = field(default_factory=dict)
    shell: str = ""
    before: str = ""
    raw: bool = False
    build: Build | None = None

    def argv(self, host: str, port: int, env_bin: Path) -> list[str]:
        """The command that serves at `host` and `port`, with the programs of the environment `env_bin`.

        Raises SubmissionError if the environment has no such program.
        """
        program = _program(self.command[0], env_bin, self.requirements)
        path = f'PATH={shlex.quote(str(env_bin))}:"$PATH"; export PATH; '
        return self._words(program, host, port, shell=_shell(self.shell), prefix=path)

    def argv_in_image(self, host: str, port: int) -> list[str]:
        """The same command with the programs of a container, found there by their names."""
        program = self.command[0].strip("\"'")
        return self._words(program, host, port, shell=self.shell)

    def _words(self, program: str, host: str, port: int, *, shell: str, prefix: str = "") -> list[str]:
        rest = [_fill(word, host, port) for word in self.command[1:]]
        if not self.shell:
            return [program, *rest]
        if not self.raw:
            rest = [shlex.quote(word) for word in rest]
        return [shell, "-c", f"{prefix}{self.before}exec {' '.join([shlex.quote(program), *rest])}"]

    def environment(self, root: Path, host: str, port: int) -> dict[str, str]:
        """The variables that go with the command, for a copy of the submission at `root`."""
        own = {name: value.replace("{root}", str(root)) for name, value in self.env.items()}
        return own | {"HOST": host, "PORT": str(port)}


def plan(submission: Submission, defaults: StartDefaults, reserved: Collection[str]) -> StartPlan:
    """How the service of `submission` is started, and what has to be installed for it.

    `defaults` decide where its files say nothing. `reserved` are the variables that the lab sets or leaves out on
    purpose, which the submission's own files do not set. Raises SubmissionError, saying what to write, if its files do
    not say clearly how to start it.
    """
    try:
        return _plan(submission, defaults, frozenset(reserved))
    except UnclearStartError as error:
        advice = f'write in pyproject.toml: [tool.grading] command = "{defaults.example}", with its cwd'
        raise SubmissionError(f"{error}; {advice}.", detail=error.detail) from error


def named_assessment(submission: Submission) -> str | None:
    """Return the assessment that the submission names in `[tool.grading]`, if it does.

    What is wrong with its pyproject.toml is for `plan` to say.
    """
    try:
        name = _table(submission).get("assessment")
    except SubmissionError:
        return None
    return name if isinstance(name, str) else None


def _plan(submission: Submission, defaults: StartDefaults, reserved: frozenset[str]) -> StartPlan:
    table = _table(submission)
    names = _words_of(table.get("requirements", []), "requirements")
    if not isinstance(table.get("assessment", ""), str):
        raise SubmissionError("[tool.grading] assessment in pyproject.toml has to be a string.")
    if "command" in table:
        found = _explicit(submission, table, names, reserved)
    elif "cwd" in table:
        raise SubmissionError(
            "[tool.grading] has a cwd and no command; add the command that starts the service."
        )
    else:
        found = (
            _compose(submission, defaults, reserved)
            or _dockerfile(submission, defaults, reserved)
            or _default(submission, defaults, reserved)
        )
        if names:
            found = replace(found, requirements=requirements.named(submission, names))
    wish = requirements.python_wish(submission, found.requirements) or found.requirements.python
    return replace(found, requirements=replace(found.requirements, python=wish))


def _table(submission: Submission) -> dict[str, Any]:
    tool = (requirements.pyproject(submission, Path()) or {}).get("tool")
    table = tool.get("grading") if isinstance(tool, dict) else None
    if table is None:
        return {}
    unknown = [key for key in table if key not in _KEYS] if isinstance(table, dict) else ["it is no table"]
    if unknown:
        raise SubmissionError(
            f"[tool.grading] in pyproject.toml takes {', '.join(_KEYS)}, and not: {unknown[0]}."
        )
    return dict(table)


def _words_of(value: Any, key: str) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SubmissionError(
            f"[tool.grading] {key} in pyproject.toml has to be a string or a list of strings."
        )
    return words


def _explicit(
    submission: Submission, table: Mapping[str, Any], names: list[str], reserved: frozenset[str]
) -> StartPlan:
    command = table["command"]
    words = _words_of(command, "command")
    cwd = inside(str(table.get("cwd", ".")))
    if cwd is None or not (submission.root / cwd).is_dir():
        raise SubmissionError(
            f"[tool.grading] cwd is {table['cwd']!r}, which is no folder of the repository."
        )
    origin = "[tool.grading] in pyproject.toml"
    view = _View(
        submission, Layout.plain(submission), "tool.grading", origin=origin, reserved=reserved, home=Path()
    )
    start = view.read(command if isinstance(command, str) else words, PurePosixPath("/") / cwd)
    return view.plan(start, known=requirements.named(submission, names) if names else None)


def _compose(submission: Submission, defaults: StartDefaults, reserved: frozenset[str]) -> StartPlan | None:
    service = compose.read(submission, defaults.service)
    if service is None:
        return None
    stage = Stage(Layout(submission))
    origin = f"`{defaults.service}` in {service.file}"
    build = None
    if service.context is not None:
        build = Build(_dockerfile_of(service), service.context, service.target)
        stage = dockerfile.read(submission, _dockerfile_of(service), service.context, service.target)
        if service.command is None and service.entrypoint is None:
            origin = str(_dockerfile_of(service))
    for target, source in service.mounts:
        stage.layout.add(target, source)
    stage.env |= service.env
    if service.entrypoint is not None:
        stage.entrypoint, stage.command = service.entrypoint, None
    stage.command = service.command if service.command is not None else stage.command
    stage.workdir = stage.workdir / (service.workdir or "")
    view = _View(
        submission,
        _layout(submission, stage),
        "compose",
        origin=origin,
        reserved=reserved,
        home=defaults.main.parent,
    )
    found = _of_stage(stage, view)
    return found and replace(found, build=build)


def _dockerfile_of(service: compose.Service) -> Path:
    return inside((service.context or Path()) / service.dockerfile) or Path(service.dockerfile)


def _dockerfile(
    submission: Submission, defaults: StartDefaults, reserved: frozenset[str]
) -> StartPlan | None:
    for path in defaults.dockerfiles:
        if not submission.has(path):
            continue
        contexts = dict.fromkeys([path.parent, Path()])
        stages = [(dockerfile.read(submission, path, context), context) for context in contexts]
        # Which folder it is built from stands nowhere: the one that has what it copies.
        *others, last = sorted(stages, key=lambda pair: pair[0].missing)
        views = {
            context: _View(
                submission,
                _layout(submission, stage),
                "dockerfile",
                str(path),
                reserved,
                defaults.main.parent,
            )
            for stage, context in stages
        }
        for stage, context in others:
            try:
                return _of_dockerfile(stage, views[context], path, context)
            except SubmissionError:
                continue
        return _of_dockerfile(last[0], views[last[1]], path, last[1])
    return None


def _of_dockerfile(stage: Stage, view: "_View", path: Path, context: Path) -> StartPlan | None:
    found = _of_stage(stage, view)
    return found and replace(found, build=Build(path, context))


def _layout(submission: Submission, stage: Stage) -> Layout:
    return stage.layout if stage.layout.entries else Layout.plain(submission)


def _of_stage(stage: Stage, view: "_View") -> StartPlan | None:
    command = _combined(stage.entrypoint, stage.command)
    if not command:
        return None
    start = view.read(command, stage.workdir)
    return view.plan(start, env=stage.env, installed=stage.installs, python=stage.python)


def _combined(entrypoint: Command | None, command: Command | None) -> Command | None:
    """What a container runs: an entry point in shell form takes no arguments."""
    if not entrypoint or isinstance(entrypoint, str):
        return entrypoint or command
    if isinstance(command, str):
        return [*entrypoint, "sh", "-c", command]
    return [*entrypoint, *(command or [])]


def _default(submission: Submission, defaults: StartDefaults, reserved: frozenset[str]) -> StartPlan:
    main = defaults.main
    text = submission.text(main)
    if text is None:
        raise UnclearStartError(f"Nothing says how the service is started, and there is no {main}")
    view = _View(
        submission, Layout.plain(submission), "default", origin=str(main), reserved=reserved, home=main.parent
    )
    folder, module = main.parent, main.stem
    if _is_flat(submission, text, folder):
        return view.plan(view.read(["uvicorn", f"{module}:app"], PurePosixPath("/") / folder))
    top = folder.parts[0]
    if top in _imports(text) or len(folder.parts) == 1:
        command = ["uvicorn", f"{'.'.join(folder.parts)}.{module}:app"]
    else:
        command = ["uvicorn", f"{folder.name}.{module}:app", "--app-dir", str(folder.parent)]
    return view.plan(view.read(command, PurePosixPath("/")))


def _is_flat(submission: Submission, main: str, folder: Path) -> bool:
    """Whether the modules in the main module's folder import each other by their bare names."""
    imported = _imports(main)
    if imported & {"", *folder.parts}:
        return False
    place = submission.root / folder
    siblings = {entry.stem for entry in place.iterdir() if entry.is_dir() or entry.suffix == ".py"}
    if imported & (siblings - sys.stdlib_module_names):
        return True
    return not (place / "__init__.py").exists()


def _imports(source: str) -> set[str]:
    """The top-level names that a module imports; "" for a relative import."""
    names = set()
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("" if node.level else (node.module or "").partition(".")[0])
    return names


def _parsed(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])  # its start will say what is wrong


class _View:
    """A submission seen as from its container: reads a start command, and translates it."""

    def __init__(
        self,
        submission: Submission,
        layout: Layout,
        source: Source,
        *,
        origin: str,
        reserved: frozenset[str],
        home: Path,
    ) -> None:
        self._submission = submission
        self._reserved = reserved
        self._home = home
        self._layout = layout
        self._source: Source = source
        self._origin = origin
        self._is_plain = source in {"tool.grading", "default"}

    def read(self, command: Command, directory: PurePosixPath) -> Start:
        return serve.Reader(self._submission, self._layout, directory, self._origin).read(command)

    def plan(
        self,
        start: Start,
        *,
        env: Mapping[str, str] | None = None,
        installed: Sequence[Install] = (),
        python: str | None = None,
        known: Requirements | None = None,
    ) -> StartPlan:
        variables = self._variables({**(env or {}), **start.env})
        cwd, installs_project = self._cwd(start, variables.get("PYTHONPATH", ""))
        self._check_port(start, cwd)
        wanted = known or self._requirements(start, [*installed, *start.installs], cwd)
        wanted = replace(wanted, python=python)
        if installs_project or self._is_script(start.words[0], wanted):
            wanted = self._with_project(wanted, cwd)
        return StartPlan(
            tuple(self._path(self._found(word, start, cwd), cwd) for word in start.words),
            cwd,
            wanted,
            self._source,
            variables,
            start.shell,
            start.before,
            start.raw,
        )

    def _cwd(self, start: Start, pythonpath: str) -> tuple[Path, bool]:
        """Where to start, and whether the service can only be found once the project is installed."""
        directory = PurePosixPath(posixpath.normpath(start.directory))
        folders = [path for path in self._layout.locate(directory) if (self._submission.root / path).is_dir()]
        if not folders:
            raise UnclearStartError(
                f"{self._origin} starts in {directory}, where no folder of the repository is"
            )
        fitting = next((folder for folder in folders if self._finds(start, folder, pythonpath)), None)
        if fitting is not None:
            return fitting, False
        module = (start.app or "").partition(":")[0]
        if module and any(self._has_module(folder / "src", module) for folder in folders):
            return folders[0], True
        if self._source == "tool.grading":
            return folders[0], False
        looked = ", ".join(map(str, folders))
        raise UnclearStartError(
            f"{self._origin} starts {module or start.words[-1]}, which is not in {looked}"
        )

    def _finds(self, start: Start, folder: Path, pythonpath: str) -> bool:
        if start.app is not None:
            module = start.app.partition(":")[0]
            chosen = start.option("--app-dir", "--chdir")
            own = self._path(chosen, folder) if chosen else "."
            entries = [entry.removeprefix("{root}/") for entry in pythonpath.split(":") if entry]
            places = [
                folder / own,
                *(Path(entry) for entry in entries),
                *(folder / entry for entry in entries),
            ]
            return any(self._has_module(place, module) for place in places)
        script = next((word for word in start.words if word.endswith(".py")), None)
        return script is None or self._submission.has(folder / self._path(script, folder))

    def _has_module(self, folder: Path, module: str) -> bool:
        path = folder.joinpath(*module.split("."))
        return any(
            self._submission.has(place) for place in (path.with_name(f"{path.name}.py"), path / "__init__.py")
        )

    def _found(self, word: str, start: Start, cwd: Path) -> str:
        """`word`; where it names a file in the container's folder that is not in `cwd`, by its whole path there."""
        option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
        place = start.directory / value
        files = [path for path in self._layout.locate(place) if (self._submission.root / path).is_file()]
        if self._is_plain or not files or self._submission.has(cwd / value):
            return word
        return f"{option}{equals}{place}"

    def _path(self, word: str, cwd: Path) -> str:
        """`word` with a path of the container, if it names one, made relative to `cwd`."""
        option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
        if value.startswith("{root}/"):
            return f"{option}{equals}{os.path.relpath(value.removeprefix('{root}/'), cwd)}"
        if self._is_plain or not value.startswith("/"):
            return word
        places = self._layout.locate(PurePosixPath(value))
        return f"{option}{equals}{os.path.relpath(places[0], cwd)}" if places else word

    def _variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """The variables that mean something outside of the container, with its paths translated."""
        kept = {}
        for name, value in given.items():
            if name in self._reserved or name in _OF_THE_MACHINE or name.startswith(("UV_", "PIP_")):
                continue
            parts = value.split(":") if name == "PYTHONPATH" else [value]
            kept[name] = ":".join(self._rooted(part) for part in parts)
        return kept

    def _rooted(self, value: str) -> str:
        if self._is_plain or not value.startswith("/") or value == "/":
            return value
        place = self._layout.rebase(PurePosixPath(value)) or next(
            iter(self._layout.locate(PurePosixPath(value))), None
        )
        return value if place is None else f"{{root}}/{place}"

    def _requirements(self, start: Start, installed: Sequence[Install], cwd: Path) -> Requirements:
        own = [found for install in installed if (found := self._of_install(install)) is not None]
        locked = [found for found in own if found.locked]
        wanted = _merged(locked or own) if own else requirements.find(self._submission, cwd, self._home)
        return replace(wanted, extras=(*wanted.extras, *start.extras), groups=(*wanted.groups, *start.groups))

    def _of_install(self, install: Install) -> Requirements | None:
        """What one install command of a Dockerfile asks for; None if it is nothing of the repository's."""
        if install.sync:
            folders = [*self._layout.locate(install.directory), Path()]
            found = [requirements.of_folder(self._submission, folder) for folder in folders]
            lock = next((one for one in found if one is not None and one.locked), None)
            return lock and replace(lock, extras=install.extras, groups=install.groups)
        files = [place for name in install.files if (place := self._file(install, name)) is not None]
        constraints = [
            place for name in install.constraints if (place := self._file(install, name)) is not None
        ]
        projects = [name.partition("[") for name in install.projects]
        folders = [place for name, _, _ in projects if (place := self._file(install, name)) is not None]
        extras = [extra for _, _, names in projects for extra in names.rstrip("]").split(",") if extra]
        for file in [file for file in files if file.name == "pyproject.toml"]:
            files.remove(file)
            folders.append(file.parent)
        options = [
            word for pair in _in_pairs(install.options) if not pair[1].startswith("/") for word in pair
        ]
        if not (files or folders or install.packages):
            return None
        return Requirements(
            project=next(
                (folder for folder in folders if self._submission.has(folder / "pyproject.toml")), None
            ),
            files=tuple(files),
            constraints=tuple(constraints),
            packages=install.packages,
            options=tuple(options),
            extras=(*install.extras, *(extra.strip() for extra in extras)),
        )

    def _file(self, install: Install, name: str) -> Path | None:
        """The file of the repository that an install command names (`RUN --mount` copies none)."""
        places = self._layout.locate(install.directory / name)
        if places:
            return places[0]
        plain = inside(name)
        return plain if plain is not None and self._submission.has(plain) else None

    def _is_script(self, program: str, wanted: Requirements) -> bool:
        """Whether `program` is one that the project itself defines."""
        project = requirements.pyproject(self._submission, wanted.project or Path()) or {}
        table = project.get("project")
        scripts = table.get("scripts") if isinstance(table, dict) else None
        return isinstance(scripts, dict) and program in scripts

    def _with_project(self, wanted: Requirements, cwd: Path) -> Requirements:
        folders = [wanted.project] if wanted.project is not None else [cwd, *cwd.parents]
        folder = next((one for one in folders if self._submission.has(one / "pyproject.toml")), None)
        return wanted if folder is None else replace(wanted, project=folder, install_project=True)

    def _check_port(self, start: Start, cwd: Path) -> None:
        """A script that binds a fixed port cannot be given one of ours."""
        text = " ".join(start.words)
        if serve.server_index(start.words) is not None or "{port}" in text or "PORT" in start.before + text:
            return
        script = next((word for word in start.words if word.endswith(".py")), None)
        source = self._submission.text(cwd / self._path(script, cwd)) if script else None
        port = _fixed_port(source or "")
        if port is not None:
            raise UnclearStartError(
                f"{self._origin} starts {script}, which binds the fixed port {port}: it has to read the variable PORT"
            )


def _merged(found: Sequence[Requirements]) -> Requirements:
    first, *others = found
    for other in others:
        first = Requirements(
            project=first.project if first.project is not None else other.project,
            locked=first.locked or other.locked,
            extras=(*first.extras, *other.extras),
            groups=(*first.groups, *other.groups),
            files=(*first.files, *other.files),
            constraints=(*first.constraints, *other.constraints),
            packages=(*first.packages, *other.packages),
            options=(*first.options, *other.options),
        )
    return first


def _in_pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


def _fixed_port(source: str) -> int | None:
    """The number in `uvicorn.run(..., port=8000)`."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("run"):
            for keyword in node.keywords:
                if keyword.arg == "port" and isinstance(keyword.value, ast.Constant):
                    return int(keyword.value.value) if isinstance(keyword.value.value, int) else None
    return None


def _fill(word: str, host: str, port: int) -> str:
    return word.replace("{host}", host).replace("{port}", str(port))


def _program(name: str, env_bin: Path, wanted: Requirements) -> str:
    plain = name.strip("\"'")
    if plain.startswith("python") and "/" not in plain:
        return str(env_bin / "python")
    if "/" not in plain and (env_bin / plain).is_file():
        return str(env_bin / plain)
    raise SubmissionError(
        f"{plain} is not among what {wanted.described} installs; add what installs it there."
    )


def _shell(name: str) -> str:
    return shutil.which(name) or "/bin/sh"
