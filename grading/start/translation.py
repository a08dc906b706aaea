"""Translates the start of a container into one in a copy of the repository, without the container."""

import os
import posixpath
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from grading.start import command, dependencies, package_json
from grading.start.command import StartCommand
from grading.start.container import Container
from grading.start.errors import UnclearStartError
from grading.start.python_source import fixed_port
from grading.start.servers import find_server
from grading.start.start_plan import StartPlan

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


def translate(container: Container, main: Path, reserved: Collection[str]) -> StartPlan:
    """Return how to start the service of `container` in a copy of the repository.

    `main` is where the application is by default. Variables in `reserved` are left out.
    Raises UnclearStartError if the command cannot be started without its container.
    """
    start = command.read(container)
    env = _variables(container, {**container.env, **start.env}, reserved)
    cwd, needs_project = _cwd(container, start, env.get("PYTHONPATH", ""))
    _check_port(container, start, cwd)
    return StartPlan(
        tuple(_path(container, _whole_path(container, word, start, cwd), cwd) for word in start.words),
        cwd,
        dependencies.find(container, start, cwd, main, needs_project=needs_project),
        container.source,
        env,
        start.shell,
        start.before,
        start.raw,
        os.path.relpath(start.script, cwd) if start.shell and start.script else "",
        container.build,
    )


def _variables(container: Container, given: Mapping[str, str], reserved: Collection[str]) -> dict[str, str]:
    """Return the variables that mean something outside of the container, with its paths translated."""
    kept = {}
    for name, value in given.items():
        if name in reserved or name in _OF_THE_MACHINE or name.startswith(("UV_", "PIP_", "NPM_")):
            continue
        parts = value.split(":") if name == "PYTHONPATH" else [value]
        kept[name] = ":".join(_from_root(container, part) for part in parts)
    return kept


def _from_root(container: Container, value: str) -> str:
    """Return `value` as a path under `{root}`, if it is one of the container's."""
    if not container.is_real or not value.startswith("/") or value == "/":
        return value
    path = PurePosixPath(value)
    for folder in (path, *path.parents[:-1]):
        # A folder that the service makes, such as /app/data, is in none that was copied.
        if (place := container.rebase(folder)) is not None:
            return f"{{root}}/{place / path.relative_to(folder)}"
    for volume in container.volumes:
        if path.is_relative_to(volume):
            # The copy itself is there and writable, as a volume is.
            return f"{{root}}/{path.relative_to(volume)}"
    return value


def _cwd(container: Container, start: StartCommand, pythonpath: str) -> tuple[Path, bool]:
    """Return the folder to start in, and whether the service is only found there once its project is installed."""
    directory = PurePosixPath(posixpath.normpath(start.directory))
    folders = [path for path in container.locate(directory) if (container.submission.root / path).is_dir()]
    if not folders:
        raise UnclearStartError(
            f"{container.origin} starts in {directory}, where no folder of the repository is"
        )
    fitting = next((folder for folder in folders if _finds(container, start, folder, pythonpath)), None)
    if fitting is not None:
        return fitting, False
    module = (start.app or "").partition(":")[0]
    if module and any(_has_module(container, folder / "src", module) for folder in folders):
        return folders[0], True
    if container.source == "tool.grading":
        return folders[0], False
    looked = ", ".join(map(str, folders))
    raise UnclearStartError(
        f"{container.origin} starts {module or start.words[-1]}, which is not in {looked}"
    )


def _finds(container: Container, start: StartCommand, folder: Path, pythonpath: str) -> bool:
    """Whether the application or the script that starts is found from `folder`."""
    if start.app is None:
        if entry := package_json.entry(start.words):
            return _finds_entry(container, _path(container, entry, folder), folder)
        script = _script(start)
        return script is None or container.submission.has(folder / _path(container, script, folder))
    app_dir = start.option("--app-dir", "--chdir", "--pythonpath")
    paths = [Path(entry.removeprefix("{root}/")) for entry in pythonpath.split(":") if entry]
    places = [
        folder / (_path(container, app_dir, folder) if app_dir else "."),
        *paths,
        *(folder / path for path in paths),
    ]
    module = start.app.partition(":")[0]
    return any(_has_module(container, place, module) for place in places)


def _finds_entry(container: Container, entry: str, folder: Path) -> bool:
    """Whether a script of Node is there, or is made by the script `build` of the folder's package.json."""
    submission = container.submission
    if package_json.entry_file(submission, folder, entry) is not None:
        return True
    package = package_json.read(submission, folder)
    return package is not None and "build" in package.scripts


def _has_module(container: Container, folder: Path, module: str) -> bool:
    path = folder.joinpath(*module.split("."))
    return any(
        container.submission.has(place) for place in (path.with_name(f"{path.name}.py"), path / "__init__.py")
    )


def _script(start: StartCommand) -> str | None:
    return next((word for word in start.words if word.endswith(".py")), None)


def _whole_path(container: Container, word: str, start: StartCommand, cwd: Path) -> str:
    """Return `word` with the whole path of a file that is in the container's folder, and not in `cwd`."""
    option, equals, value = _option(word)
    place = start.directory / value
    is_file = container.locate_file(place) is not None
    if not container.is_real or not is_file or container.submission.has(cwd / value):
        return word
    return f"{option}{equals}{place}"


def _path(container: Container, word: str, cwd: Path) -> str:
    """Return `word` with its path of the container, if it has one, made relative to `cwd`."""
    option, equals, value = _option(word)
    if value.startswith("{root}/"):
        return f"{option}{equals}{os.path.relpath(value.removeprefix('{root}/'), cwd)}"
    if not container.is_real or not value.startswith("/"):
        return word
    places = container.locate(PurePosixPath(value))
    return f"{option}{equals}{os.path.relpath(places[0], cwd)}" if places else word


def _option(word: str) -> tuple[str, str, str]:
    """Split `--name=value`; a word that is no such option is all value."""
    return word.rpartition("=") if word.startswith("--") else ("", "", word)


def _check_port(container: Container, start: StartCommand, cwd: Path) -> None:
    """Raise UnclearStartError if the service is a script that binds a fixed port."""
    text = " ".join(start.words)
    if find_server(start.words) is not None or "{port}" in text or "PORT" in start.before + text:
        return
    if entry := package_json.entry(start.words):
        script: str | None = entry
        file = package_json.entry_file(container.submission, cwd, _path(container, entry, cwd))
        port = package_json.fixed_port(container.submission.text(file) or "") if file else None
    else:
        script = _script(start)
        source = container.submission.text(cwd / _path(container, script, cwd)) if script else None
        port = fixed_port(source or "")
    if port is not None:
        raise UnclearStartError(
            f"{container.origin} starts {script}, which binds the fixed port {port}, not that of the variable PORT"
        )
