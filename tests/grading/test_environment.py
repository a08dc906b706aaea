"""Real installations by uv, of packages that are made here: no test but the last needs a network."""

import asyncio
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grading import installer as module
from grading.environment import prepare
from grading.errors import MachineError, SubmissionError
from grading.start import Requirements, StartPlan

from .conftest import Repository

UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(not Path(UV).exists(), reason="uv is not installed"),
]

BACKEND = '''
"""A build backend that needs nothing: the project is the module `tiny`, and a program of that name."""
import os, shutil
def build_wheel(folder, config_settings=None, metadata_directory=None):
    {before}
    shutil.copy(os.path.join(os.path.dirname(__file__), "built.whl"), os.path.join(folder, "{wheel}"))
    return "{wheel}"
build_editable = build_wheel
'''
BUILD_SYSTEM = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def make_wheel(folder: Path, name: str, *, requires: str = "") -> str:
    """Write a wheel of the module `name`, with a program of that name; returns the file's name."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files = {
        f"{name}/__init__.py": "def main():\n    print('here')\n",
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()
    }
    lines = [f"{path},sha256={digest.rstrip(b'=').decode()}," for path, digest in digests.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,\n"])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return file.name


def project(root: Path, name: str, before: str = "pass") -> None:
    """Make a folder that builds into a wheel, after running the line `before`."""
    wheel = make_wheel(root, name)
    (root / wheel).rename(root / "built.whl")
    (root / "backend.py").write_text(BACKEND.format(before=before, wheel=wheel))
    (root / "pyproject.toml").write_text(f'{BUILD_SYSTEM}[project]\nname = "{name}"\nversion = "1.0"\n')


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only packages that uv sees: `uvicorn`, `fastapi` (which needs it) and `other`."""
    index = tmp_path / "index"
    for name, requires in {"uvicorn": "", "other": "", "fastapi": "uvicorn"}.items():
        wheel = make_wheel(index / name, name, requires=requires)
        (index / name / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.as_uri())
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")


class Bench:
    """Prepares a repository's submission, and remembers what was said of it."""

    def __init__(self, repository: Repository, cache: Path) -> None:
        self.repository = repository
        self.cache = cache
        self.said: list[str] = []

    async def prepare(self, start: StartPlan | None = None) -> Path:
        submission = self.repository.submission()
        return await prepare(submission, start or self.repository.plan(), self.cache, self.said.append)


@pytest.fixture
def bench(repository: Repository, tmp_path: Path) -> Bench:
    repository.write({"src/api/main.py": "", "src/api/__init__.py": "", "requirements.txt": "uvicorn\n"})
    return Bench(repository, tmp_path / "cache")


def output(*words: str | Path, cwd: Path | None = None) -> bytes:
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True).stdout


def runs(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def installed(venv: Path) -> set[str]:
    names = {entry.name for entry in (venv / "bin").iterdir()}
    return names & {"uvicorn", "fastapi", "other", "tiny"}


async def test_requirements_are_installed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await bench.prepare()
    assert installed(made) == {"uvicorn"}
    assert output(made / "bin" / "uvicorn") == b"here\n"
    assert bench.said == ["installing requirements.txt"]
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert await bench.prepare() == made, "found again, with no uv to install it"
    assert bench.said == ["installing requirements.txt"]


async def test_bytecode_is_compiled(bench: Bench) -> None:
    made = await bench.prepare()
    assert list(made.rglob("uvicorn/__pycache__/*.pyc"))


async def test_nothing_is_written_into_the_submission(bench: Bench) -> None:
    before = sorted(bench.repository.root.rglob("*"))
    await bench.prepare()
    assert sorted(bench.repository.root.rglob("*")) == before


async def test_an_environment_stands_for_the_content_of_its_files(bench: Bench) -> None:
    first = await bench.prepare()
    bench.repository.write({"src/api/new.py": "", "README.md": ""})
    assert await bench.prepare() == first
    bench.repository.write(
        {
            "requirements.txt": "-r more/base.txt\n",
            "more/base.txt": "-c limits.txt\nfastapi\n",
            "more/limits.txt": "",
        }
    )
    second = await bench.prepare()
    assert installed(second) == {"fastapi", "uvicorn"}
    bench.repository.write({"more/limits.txt": "uvicorn==1.0\n"})
    third = await bench.prepare()
    assert len({first, second, third}) == 3


async def test_a_lock_is_installed_without_its_groups_and_the_project(bench: Bench) -> None:
    text = f'{BUILD_SYSTEM}[project]\nname = "mine"\ndynamic = ["version"]\nreadme = "README.md"\nrequires-python = ">=3.9"\ndependencies = ["uvicorn"]\n[dependency-groups]\ndev = ["other"]\n'
    bench.repository.write({"pyproject.toml": text.replace('dynamic = ["version"]', 'version = "1"')})
    output(UV, "lock", cwd=bench.repository.root)
    bench.repository.write({"pyproject.toml": text})
    made = await bench.prepare()
    assert installed(made) == {"uvicorn"}
    assert bench.said == ["installing uv.lock"]


async def test_a_project_without_a_lock(bench: Bench) -> None:
    text = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["uvicorn"]\n[project.optional-dependencies]\nprod = ["other"]\n'
    (bench.repository.root / "requirements.txt").unlink()
    bench.repository.write({"pyproject.toml": text})
    assert installed(await bench.prepare()) == {"uvicorn"}
    bench.repository.write(
        {
            "Dockerfile": 'FROM x\nCOPY . /a\nWORKDIR /a\nRUN pip install ".[prod]"\nCMD uvicorn api.main:app --app-dir src\n'
        }
    )
    assert installed(await bench.prepare()) == {"uvicorn", "other"}


async def test_packages_that_a_dockerfile_names(bench: Bench) -> None:
    bench.repository.write(
        {
            "Dockerfile": "FROM x\nCOPY . /a\nWORKDIR /a\nRUN pip install -c limits.txt fastapi other==1.0\nCMD uvicorn api.main:app --app-dir src\n",
            "limits.txt": "uvicorn<2\n",
        }
    )
    assert installed(await bench.prepare()) == {"fastapi", "uvicorn", "other"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["./libs/tiny", "-e libs/tiny", "tiny @ ./libs/tiny", "--editable ./libs/tiny"]
)
async def test_code_that_requirements_lead_to(bench: Bench, line: str) -> None:
    project(bench.repository.root / "libs/tiny", "tiny")
    bench.repository.write({"requirements.txt": f"uvicorn\n{line}\n"})
    first = await bench.prepare()
    assert installed(first) == {"uvicorn", "tiny"}
    assert await bench.prepare() == first
    bench.repository.write({"libs/tiny/changed.py": ""})
    assert await bench.prepare() != first


async def test_a_project_that_has_to_be_installed(bench: Bench) -> None:
    project(bench.repository.root, "tiny")
    with (bench.repository.root / "pyproject.toml").open("a") as file:
        file.write(
            'dependencies = ["uvicorn"]\n[project.scripts]\ntiny = "tiny:main"\n[tool.grading]\ncommand = "tiny"\n'
        )
    (bench.repository.root / "requirements.txt").unlink()
    made = await bench.prepare()
    assert output(made / "bin" / "tiny") == b"here\n"


async def test_a_half_made_environment_is_made_again(bench: Bench) -> None:
    first = await bench.prepare()
    (first.parents[1] / "complete").unlink()
    second = await bench.prepare()
    assert second != first
    assert not first.exists()
    assert installed(second) == {"uvicorn"}


async def test_an_environment_whose_python_is_gone_is_made_again(bench: Bench) -> None:
    first = await bench.prepare()
    (first / "bin/python").unlink()
    (first / "bin/python").symlink_to("/gone/python")
    assert ((await bench.prepare()) / "bin/python").exists()


async def test_two_that_need_the_same_build_it_once(bench: Bench) -> None:
    project(bench.repository.root / "tiny", "tiny", "__import__('time').sleep(0.5)")
    bench.repository.write({"requirements.txt": "uvicorn\n./tiny\n"})
    made = await asyncio.gather(*(bench.prepare() for _ in range(3)))
    assert len(set(made)) == 1
    assert (
        sorted(bench.said)
        == ["installing requirements.txt"] + ["waiting for another grader that installs requirements.txt"] * 2
    )


@pytest.mark.slow
async def test_cancelling_ends_the_installation(bench: Bench, tmp_path: Path) -> None:
    line = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())) and __import__('time').sleep(300)"
    project(bench.repository.root / "tiny", "tiny", line)
    bench.repository.write({"requirements.txt": "uvicorn\n./tiny\n"})
    task = asyncio.create_task(bench.prepare())
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert not task.done(), task.exception()
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    pid = int((tmp_path / "pid").read_text())
    for _ in range(500):
        if not runs(pid):
            break
        await asyncio.sleep(0.01)
    assert not runs(pid)
    project(bench.repository.root / "tiny", "tiny")
    assert installed(await bench.prepare()) == {"uvicorn", "tiny"}


async def test_builds_do_not_see_the_graders_environment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    project(bench.repository.root / "tiny", "tiny", "raise SystemExit(' '.join(sorted(os.environ)))")
    bench.repository.write({"requirements.txt": "uvicorn\n./tiny\n"})
    with pytest.raises(SubmissionError) as caught:
        await bench.prepare()
    assert "PATH" in caught.value.detail
    assert "OPENAI_API_KEY" not in caught.value.detail


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"requirements.txt": "uvicorn\nno-such-package\n"}, "no-such-package"),
        ({"requirements.txt": "uvicorn==99\n"}, "uvicorn==99"),
        ({"requirements.txt": "uvicorn ==\n"}, "uvicorn =="),
        ({"requirements.txt": "uvicorn\n./not-there\n"}, "not-there"),
        ({"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n", "uv.lock": "version = "}, "uv.lock"),
        (
            {"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n", "uv.lock": "version = 99\n"},
            "version",
        ),
        ({"requirements.txt": "-r missing.txt\n"}, None),
        ({"requirements.txt": "-r ../outside.txt\n"}, None),
        ({"requirements.txt": "-c /etc/passwd\n"}, None),
        ({"requirements.txt": "other\n"}, None),
    ],
)
async def test_what_the_submission_is_to_mend(bench: Bench, files: dict[str, str], says: str | None) -> None:
    bench.repository.write(files)
    with pytest.raises(SubmissionError) as caught:
        await bench.prepare()
    if says is not None:
        assert "cannot be installed; fix it" in caught.value.message
        assert (
            says in caught.value.detail.replace(r"\.", ".") or says.replace("\\", "") in caught.value.detail
        )


async def test_without_uvicorn_the_message_says_so(bench: Bench) -> None:
    bench.repository.write({"requirements.txt": "other\n"})
    with pytest.raises(
        SubmissionError, match=r"uvicorn is not among what requirements\.txt installs; add it"
    ):
        await bench.prepare()


async def test_what_a_build_says_of_networks_is_not_the_machines(bench: Bench) -> None:
    project(
        bench.repository.root / "tiny",
        "tiny",
        "raise SystemExit('dns error: connection refused, no space left')",
    )
    bench.repository.write({"requirements.txt": "uvicorn\n./tiny\n"})
    with pytest.raises(SubmissionError):
        await bench.prepare()


async def test_a_network_that_is_down_is_the_machines_matter(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(MachineError, match="network"):
        await bench.prepare()


async def test_an_installation_that_takes_too_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    project(bench.repository.root / "tiny", "tiny", "__import__('time').sleep(300)")
    bench.repository.write({"requirements.txt": "uvicorn\n./tiny\n"})
    monkeypatch.setattr(module, "INSTALL_TIMEOUT", 1.0)
    with pytest.raises(MachineError, match="longer than 1 s"):
        await bench.prepare()


async def test_without_uv(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(MachineError, match="uv is not installed; see https://"):
        await bench.prepare()


async def test_a_cache_that_cannot_be_written(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bench.cache = tmp_path / "file"
    with pytest.raises(MachineError, match="GRADING_CACHE"):
        await bench.prepare()


async def test_a_python_that_is_only_wished_for_may_be_another(bench: Bench) -> None:
    bench.repository.write({".python-version": "3.99"})
    assert installed(await bench.prepare()) == {"uvicorn"}
    assert bench.said == [
        "installing requirements.txt",
        "Python 3.99 is neither installed nor available; using another",
    ]


async def test_a_python_that_is_required_is_the_machines_to_have(bench: Bench) -> None:
    text = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.99"\ndependencies = ["uvicorn"]\n'
    (bench.repository.root / "requirements.txt").unlink()
    bench.repository.write({"pyproject.toml": text})
    with pytest.raises(MachineError, match="uv python install"):
        await bench.prepare()


async def test_settings_of_the_folders_around_are_not_ours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    bench.cache.mkdir()
    (bench.cache / "uv.toml").write_text("no-such-setting = 1\n")
    (bench.cache / "pyproject.toml").write_text(
        "[project]\nname = 'outer'\nversion = '1'\nrequires-python = '>=3.99'\n"
    )
    (bench.cache / ".python-version").write_text("3.99\n")
    assert installed(await bench.prepare()) == {"uvicorn"}


@pytest.mark.slow
async def test_what_nobody_uses_is_removed(bench: Bench) -> None:
    old = await bench.prepare()
    bench.repository.write({"requirements.txt": "uvicorn\nother\n"})
    used = await bench.prepare()
    long_ago = 1_000_000_000
    for one in (old, used):
        os.utime(one.parents[1] / "complete", (long_ago, long_ago))
    await bench.prepare()
    bench.repository.write({"requirements.txt": "fastapi\n"})
    await bench.prepare()
    assert used.exists()
    assert not old.exists()


@pytest.fixture
def _index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.usefixtures("_index")
async def test_a_package_from_the_index(bench: Bench) -> None:
    bench.repository.write({"requirements.txt": "idna\n", "serve.py": ""})
    start = StartPlan(
        ("python", "serve.py"), Path(), Requirements(files=(Path("requirements.txt"),)), "tool.grading"
    )
    made = await bench.prepare(start)
    output(made / "bin/python", "-c", "import idna")
