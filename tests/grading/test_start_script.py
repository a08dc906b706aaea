"""Start scripts, as a real shell runs them once the grader has taken over what it does itself."""

import subprocess
from pathlib import Path

import pytest

from .conftest import Repository

FROM_ROOT = "exec uvicorn api.main:app --app-dir src --port 8000"
FROM_SRC = "exec uvicorn api.main:app --port 8000"
PROJECT = '[project]\nname = "llm-api"\nversion = "1"\ndependencies = ["uvicorn"]\n'
FILES = {
    "src/api/__init__.py": "",
    "src/api/main.py": "",
    "requirements.txt": "uvicorn",
    "uv.lock": "",
    "scripts/data": "",
}

SCRIPTS = {
    "where it stands": (f'cd "$(dirname "$0")/.."\n{FROM_ROOT}', "."),
    "where it stands, as bash says": (
        f'cd "$(dirname "${{BASH_SOURCE[0]}}")/.." || exit 1\n{FROM_ROOT}',
        ".",
    ),
    "a variable with its folder": (
        f'here=$(cd "$(dirname "$0")" && pwd)\ncd "$here/../src"\n{FROM_SRC}',
        "src",
    ),
    "a folder or nothing": (f"cd src || exit 1\n{FROM_SRC}", "src"),
    "a folder or a message": (f'cd src || {{ echo "no src"; exit 1; }}\n{FROM_SRC}', "src"),
    "an installation or nothing": (f"pip install -r requirements.txt || exit 1\n{FROM_ROOT}", "."),
    "an installation in a condition": (
        f"if [ -f requirements.txt ]; then\n  pip install -r requirements.txt\nfi\n{FROM_ROOT}",
        ".",
    ),
    "an installation behind a condition": (
        f"if [ ! -d .venv ]; then uv sync; else echo there; fi\n{FROM_ROOT}",
        ".",
    ),
    "an installation of what is missing": (f"command -v uvicorn || pip install uvicorn\n{FROM_ROOT}", "."),
    "an environment": (f"set -e\n. .venv/bin/activate\nsource /opt/venv/bin/activate\n{FROM_ROOT}", "."),
    "settings on the way": (f"set -e\nset +e\nfalse\nset -e\n{FROM_ROOT}", "."),
    "a choice": (
        f'case "$LEVEL" in\n  high) echo high ;;\n  *) echo low ;;\nesac\n{FROM_ROOT}',
        ".",
    ),
    "comments behind commands": (f"echo hello # don't wait\n{FROM_ROOT} # start it", "."),
    "a variable for what is imported": ("export PYTHONPATH=src\nexec uvicorn api.main:app", "."),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_start_script_starts_the_server_where_its_author_meant(
    repository: Repository, tmp_path: Path, name: str
) -> None:
    script, folder = SCRIPTS[name]
    command = '[tool.grading]\ncommand = "bash scripts/start.sh"\n'
    repository.write(
        {**FILES, "pyproject.toml": PROJECT + command, "scripts/start.sh": f"#!/bin/bash\n{script}\n"}
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "uvicorn").write_text('#!/bin/sh\necho "$PWD:$PYTHONPATH:$*"\n')
    (programs / "uvicorn").chmod(0o755)

    found = repository.plan()
    answer = subprocess.run(
        found.argv("127.0.0.1", 8123, programs),
        cwd=repository.root / found.cwd,
        env={"PATH": "/usr/bin:/bin", **found.environment(repository.root, "127.0.0.1", 8123)},
        capture_output=True,
        text=True,
        check=True,
    )

    where, python_path, arguments = answer.stdout.splitlines()[-1].split(":", 2)
    assert Path(where).resolve() == (repository.root / folder).resolve()
    assert arguments.endswith("--host 127.0.0.1 --port 8123")
    assert ("PYTHONPATH" in script) == (python_path == "src")
    assert not answer.stderr
