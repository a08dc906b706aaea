"""A program that starts applications, each in a process of its own, and says which of them come up.

    python starter.py MODULE PATH FOLDER...

`MODULE` is imported below each folder, and its `app` asked for its start and for `PATH`. What the modules import from
elsewhere is imported before, once for all. Prints a line for each folder that did not come up: its name, and why.
"""

import ast
import asyncio
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SECONDS = 15


def main() -> None:
    """Start each application."""
    module, path, *folders = sys.argv[1:]
    preload(map(Path, folders[:1]), own=module.partition(".")[0])
    for folder in folders:
        # The output is read by whoever started this; a copy of its buffer in each child would repeat it.
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _be(module, path, folder)
        _, status = os.waitpid(child, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            reason = f"it was not up within {SECONDS} s" if code == -signal.SIGALRM else f"exit code {code}"
            print(f"{folder}\t{reason}")  # noqa: T201 - the result


def preload(folders: Iterable[Path], *, own: str) -> None:
    """Import what the modules in these folders import, and are not."""
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=aliases):
                    names = [alias.name for alias in aliases]
                case ast.ImportFrom(module=str(name), level=0):
                    names = [name]
                case _:
                    continue
            for name in names:
                if name.partition(".")[0] != own:
                    with contextlib.suppress(ImportError):
                        importlib.import_module(name)


def _be(module: str, path: str, folder: str) -> None:
    """Be the application in a folder. Does not return."""
    signal.alarm(SECONDS)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = 1
    try:
        os.chdir(folder)
        sys.path.insert(0, folder)
        code = asyncio.run(_comes_up(importlib.import_module(module).app, path))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) and error.code else 1
    finally:
        os._exit(code)


async def _comes_up(app: Any, path: str) -> int:
    """Ask an application for its start, then for a path. Returns 0, or 2 where the start failed."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked.put_nowait({"type": "lifespan.startup"})
    state: dict[str, Any] = {}
    lifespan = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    life = asyncio.create_task(app(lifespan, asked.get, told.put))
    if (await told.get())["type"] != "lifespan.startup.complete":
        return 2
    request: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    request.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "state": state.copy(),
    }
    serving = asyncio.create_task(app(scope, request.get, told.put))
    await told.get()
    # It ends with its process; nothing waits for a shutdown that may be what is wrong.
    serving.cancel()
    life.cancel()
    return 0


if __name__ == "__main__":
    main()
