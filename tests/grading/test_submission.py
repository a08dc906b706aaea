import contextlib
import hashlib
import os
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from grading import git
from grading import submission as module
from grading.errors import GradingError, MachineError, SubmissionError, UsageError
from grading.submission import Submission, fetch, source
from grading.workspace import Workspace

from .conftest import IDENTITY, Repository

pytestmark = pytest.mark.medium

FILES = {"src/api/main.py": "app = 1\n", "pyproject.toml": "[project]\n", ".gitignore": "ignored\n*.log\n"}


@pytest.fixture(autouse=True)
def _only_our_git_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in IDENTITY:
        monkeypatch.delenv(name, raising=False)


def names(submission: Submission) -> set[str]:
    root = submission.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file()}


async def test_a_work_tree_is_taken_as_it_is(repository: Repository, workspace: Workspace) -> None:
    commit = repository.write(FILES).commit()
    repository.write({"new.py": "", "ignored": "", "a.log": "", "src/api/main.py": "app = 2\n"})
    found = await fetch(str(repository.root), workspace)
    assert names(found) == {*FILES, "new.py"}
    assert (found.root / "src/api/main.py").read_text() == "app = 2\n"
    assert (found.name, found.commit, found.dirty) == ("repository", commit, True)
    assert found.root.is_relative_to(workspace.root)


async def test_a_clean_work_tree_is_not_dirty(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES).commit()
    assert not (await fetch(str(repository.root), workspace)).dirty


async def test_fetching_leaves_the_repository_as_it_was(repository: Repository, workspace: Workspace) -> None:
    commit = repository.write(FILES).commit()

    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in repository.root.rglob("*")}

    before = state()
    for suffix in ("", f"@{commit}", "@main"):
        found = await fetch(f"{repository.root}{suffix}", workspace)
        (found.root / "src/api/main.py").write_text("changed")
    assert state() == before


async def test_a_repository_without_a_commit(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES).git("init", "--quiet")
    found = await fetch(str(repository.root), workspace)
    assert names(found) == set(FILES)
    assert (found.commit, found.dirty) == (None, True)


async def test_a_tracked_file_may_be_deleted(repository: Repository, workspace: Workspace) -> None:
    repository.write({**FILES, "old/gone.py": ""}).commit()
    (repository.root / "old/gone.py").unlink()
    (repository.root / "old").rmdir()
    repository.write({"old": "now a file"})
    found = await fetch(str(repository.root), workspace)
    assert names(found) == {*FILES, "old"}


async def test_odd_names_are_taken(repository: Repository, workspace: Workspace) -> None:
    odd = {"with space.py": "", "ünï\ncode.py": "", '"quoted".py': "", "-dash.py": ""}
    repository.write(FILES | odd).commit()
    (repository.root / os.fsdecode(b"latin-\xe9.py")).write_text("")
    assert names(await fetch(str(repository.root), workspace)) == {
        *FILES,
        *odd,
        os.fsdecode(b"latin-\xe9.py"),
    }


async def test_a_subfolder_is_a_submission(repository: Repository, workspace: Workspace) -> None:
    commit = repository.write(
        FILES | {"exercises/exam/starter/pyproject.toml": "", "exercises/other.py": ""}
    ).commit()
    repository.write({"exercises/exam/starter/new.py": ""})
    starter = str(repository.root / "exercises/exam/starter")
    found = await fetch(starter, workspace)
    assert names(found) == {"pyproject.toml", "new.py"}
    assert (found.name, found.commit, found.dirty) == ("starter", commit, True)
    assert names(await fetch(f"{starter}@HEAD", workspace)) == {"pyproject.toml"}


async def test_changes_elsewhere_do_not_make_a_subfolder_dirty(
    repository: Repository, workspace: Workspace
) -> None:
    repository.write({"starter/pyproject.toml": ""}).commit()
    repository.write({"other": ""})
    assert not (await fetch(str(repository.root / "starter"), workspace)).dirty


async def test_a_folder_without_git(repository: Repository, workspace: Workspace) -> None:
    left_out = [
        ".venv/bin/x",
        "venv/x",
        "node_modules/x",
        "src/__pycache__/x.pyc",
        ".env",
        "src/.env",
        ".ruff_cache/x",
    ]
    repository.write(FILES | dict.fromkeys(left_out, "") | {".env.example": ""})
    found = await fetch(str(repository.root), workspace)
    assert names(found) == {*FILES, ".env.example"}
    assert found.commit is None


async def test_an_ignored_folder_is_taken_like_one_without_git(
    repository: Repository, workspace: Workspace
) -> None:
    repository.write(FILES | {"ignored/pyproject.toml": "", "ignored/a.log": ""}).commit()
    assert names(await fetch(str(repository.root / "ignored"), workspace)) == {"pyproject.toml", "a.log"}


async def test_env_files_are_never_taken(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES | {".env": "SECRET=1", "src/.env": "", ".env.example": "SECRET="})
    (repository.root / "link").symlink_to(".env")
    commit = repository.commit()
    for spec in (f"{repository.root}", f"{repository.root}@{commit}", f"file://{repository.root}"):
        assert names(await fetch(spec, workspace)) == {*FILES, ".env.example"}


async def test_links_that_lead_out_are_not_followed(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    repository.write(FILES)
    links = {
        "inside": "src/api/main.py",
        "src/up": "../pyproject.toml",
        "absolute": str(repository.root / "pyproject.toml"),
        "folder": "src",
        "out": "../secret",
        "absolute-out": str(tmp_path / "secret"),
        "loop": "loop",
        "via": "out",
    }
    for name, target in links.items():
        (repository.root / name).symlink_to(target)
    repository.commit()
    found = await fetch(str(repository.root), workspace)
    assert names(found) - {"loop"} == {*FILES, "inside", "src/up", "absolute", "folder"}
    for name in ("inside", "src/up", "absolute", "folder"):
        assert (found.root / name).resolve().is_relative_to(found.root)
        assert (found.root / name).exists()


async def test_a_tracked_file_behind_a_link_is_not_taken(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    repository.write(FILES | {"keys/id": "mine"}).commit()
    (tmp_path / "home-of-another").mkdir()
    (tmp_path / "home-of-another/id").write_text("secret")
    (repository.root / "keys/id").unlink()
    (repository.root / "keys").rmdir()
    (repository.root / "keys").symlink_to("../home-of-another")
    assert names(await fetch(str(repository.root), workspace)) == set(FILES)


async def test_only_files_are_taken(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES)
    os.mkfifo(repository.root / "pipe")
    Repository(repository.root / "inner").write({"x": ""}).commit()
    assert "pipe" not in names(await fetch(str(repository.root), workspace))
    repository.git("init", "--quiet")
    assert names(await fetch(str(repository.root), workspace)) == set(FILES)


async def test_modes_are_kept_and_files_stay_writable(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES | {"start.sh": ""})
    (repository.root / "start.sh").chmod(0o555)
    found = await fetch(str(repository.root), workspace)
    assert (found.root / "start.sh").stat().st_mode & 0o777 == 0o755


async def test_too_much_is_refused(
    repository: Repository, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(FILES | {"data/model.bin": "x" * 100_000})
    monkeypatch.setattr(module, "SIZE_LIMIT", 50_000)
    with pytest.raises(SubmissionError, match=r"data/model\.bin.*\.gitignore"):
        await fetch(str(repository.root), workspace)


async def test_copies_are_apart(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES)
    (repository.root / "link").symlink_to("src")
    found = await fetch(str(repository.root), workspace)
    first, second = (found.copy_to(workspace.root / name) for name in ("first", "second"))
    (first / "src/api/main.py").write_text("changed")
    assert (
        (second / "link/api/main.py").read_text()
        == (found.root / "src/api/main.py").read_text()
        == "app = 1\n"
    )


async def test_commits_branches_and_tags_of_a_local_repository(
    repository: Repository, workspace: Workspace
) -> None:
    first = repository.write(FILES).commit()
    repository.git("tag", "v1")
    repository.git("checkout", "--quiet", "-b", "feature/x@y")
    second = repository.write({"second.py": ""}).commit()
    repository.git("checkout", "--quiet", "--detach")
    unreachable = repository.write({"third.py": ""}).commit()
    repository.git("checkout", "--quiet", "main")
    wanted = {"v1": first, first[:8]: first, "feature/x@y": second, "main": first, unreachable: unreachable}
    for ref, commit in wanted.items():
        found = await fetch(f"{repository.root}@{ref}", workspace)
        assert (found.commit, found.dirty) == (commit, False), ref
        assert ("second.py" in names(found)) == (commit != first)


async def test_an_at_sign_in_a_path(tmp_path: Path, workspace: Workspace) -> None:
    commit = Repository(tmp_path / "a@b").write(FILES).commit()
    assert (await fetch(str(tmp_path / "a@b"), workspace)).commit == commit
    assert (await fetch(f"{tmp_path}/a@b@main", workspace)).commit == commit


async def test_an_at_sign_in_the_path_of_a_url(tmp_path: Path, workspace: Workspace) -> None:
    repository = Repository(tmp_path / "ada@uni.edu/exam.git").write(FILES)
    commit = repository.commit()

    for spec in (f"file://{repository.root}", f"file://{repository.root}@{commit}"):
        found = await fetch(spec, workspace)
        assert (found.name, found.commit) == ("exam", commit)


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ("https://example.org/ada/exam.git", "https://example.org/ada/exam.git"),
        (
            "https://me:secret@example.org/ada@uni.edu/exam.git@v1",
            "https://***@example.org/ada@uni.edu/exam.git",
        ),
        ("https://example.org/@ada/exam.git", "https://example.org/@ada/exam.git"),
        ("ssh://git@example.org/ada/exam@feature/x", "ssh://***@example.org/ada/exam"),
        ("git@example.org:ada/exam.git@main", "git@example.org:ada/exam.git"),
        ("git@example.org:ada/exam.git", "git@example.org:ada/exam.git"),
        ("FOLDER", "FOLDER"),
        ("FOLDER/../fork@main", "FOLDER"),
    ],
)
def test_the_source_is_the_same_without_commit_and_credentials(
    spec: str, address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "fork"
    folder.mkdir()

    found = source(spec.replace("FOLDER", str(folder)))

    assert found == source(address.replace("FOLDER", str(folder)))
    assert found != source(str(tmp_path))


@pytest.mark.parametrize("ref", ["", "@main", "@v1", "@COMMIT"])
async def test_a_url_is_cloned(repository: Repository, workspace: Workspace, ref: str) -> None:
    commit = repository.write(FILES).commit()
    repository.git("tag", "--annotate", "--message", "One", "v1")
    repository.write({"dirt.py": ""})
    found = await fetch(f"file://{repository.root}{ref.replace('COMMIT', commit[:10])}", workspace)
    assert names(found) == set(FILES)
    assert (found.name, found.commit, found.dirty) == ("repository", commit, False)


async def test_a_bare_repository_is_cloned(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    commit = repository.write(FILES).commit()
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "class.git"))
    for spec in (tmp_path / "class.git", f"{tmp_path}/class.git@main"):
        found = await fetch(str(spec), workspace)
        assert (found.name, found.commit) == ("class", commit)
        assert names(found) == set(FILES)


async def test_nothing_of_a_repository_is_run(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    trap = _trap(tmp_path)
    repository.write(FILES | {".gitattributes": "*.py filter=evil diff=evil\n"}).commit()
    for name in ("post-checkout", "pre-commit", "post-index-change", "fsmonitor-watchman"):
        (repository.root / ".git/hooks").mkdir(exist_ok=True)
        (repository.root / ".git/hooks" / name).symlink_to(trap)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "filter.evil.clean", "filter.evil.smudge"):
        repository.git("config", key, str(trap))
    repository.git("config", "filter.evil.required", "true")
    repository.write({"src/api/main.py": "app = 2\n"})
    # The filter would run for a file that looks changed and may not be.
    (repository.root / "pyproject.toml").touch()
    for spec in ("", "@HEAD"):
        await fetch(f"{repository.root}{spec}", workspace)
    await fetch(f"file://{repository.root}", workspace)
    assert not (tmp_path / "sprung").exists()


CONFIGURED = {
    "filter whose name git splits": (["filter.a=b.clean", "filter.a=b.smudge"], "*.py filter=a=b\n"),
    "diff driver": (["diff.evil.command", "diff.evil.textconv", "diff.external"], "*.py diff=evil\n"),
    "what packs objects": (["uploadpack.packObjectsHook", "core.alternateRefsCommand"], ""),
    "credentials": (["credential.helper", "core.askPass", "core.sshCommand", "core.gitProxy"], ""),
}


@pytest.mark.parametrize(("keys", "attributes"), CONFIGURED.values(), ids=CONFIGURED)
async def test_no_program_of_a_configuration_is_run(
    repository: Repository, workspace: Workspace, tmp_path: Path, keys: list[str], attributes: str
) -> None:
    trap = _trap(tmp_path)
    repository.write({**FILES, ".gitattributes": attributes}).commit()
    for key in keys:
        repository.git("config", key, str(trap))
    repository.write({"src/api/main.py": "app = 2\n"})
    (repository.root / "pyproject.toml").touch()

    for spec in (f"{repository.root}", f"{repository.root}@HEAD", f"file://{repository.root}"):
        await fetch(spec, workspace)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("spec", ["{root}", "{root}@HEAD", "file://{root}", "file://{root}@main"])
async def test_objects_that_are_missing_are_not_fetched_by_a_program(
    repository: Repository, workspace: Workspace, tmp_path: Path, spec: str
) -> None:
    commit = repository.write(FILES).commit()
    missing = [
        repository.git("rev-parse", name) for name in (f"{commit}^{{tree}}", f"{commit}:pyproject.toml")
    ]
    promises = {"promisor": "true", "url": str(tmp_path), "partialclonefilter": "blob:none"}
    for key, value in {**promises, "uploadpack": str(_trap(tmp_path))}.items():
        repository.git("config", f"remote.origin.{key}", value)
    repository.git("config", "core.repositoryformatversion", "1")
    repository.git("config", "extensions.partialClone", "origin")
    for one in missing:
        (repository.root / ".git/objects" / one[:2] / one[2:]).unlink()

    with contextlib.suppress(GradingError):
        await fetch(spec.format(root=repository.root), workspace)

    assert not (tmp_path / "sprung").exists()


async def test_a_configured_work_tree_elsewhere_is_not_taken(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    repository.write(FILES).commit()
    elsewhere = Repository(tmp_path / "elsewhere").write({"private.txt": "x"})
    repository.git("config", "core.worktree", str(elsewhere.root))

    assert "private.txt" not in names(await fetch(str(repository.root), workspace))


async def test_a_work_tree_beside_its_repository_is_a_submission(
    repository: Repository, workspace: Workspace, tmp_path: Path
) -> None:
    repository.write(FILES).commit()
    repository.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))
    (tmp_path / "other/new.py").write_text("")

    found = await fetch(str(tmp_path / "other"), workspace)

    assert names(found) == {*FILES, "new.py"}
    assert (found.commit, found.dirty) == (repository.git("rev-parse", "other"), True)


def _trap(folder: Path) -> Path:
    """A program that leaves a trace of having been run."""
    trap = folder / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {folder}/sprung\nexit 1\n")
    trap.chmod(0o755)
    return trap


@pytest.mark.parametrize("how", ["pointer", "link", "common", "parts"])
async def test_a_folder_cannot_hand_in_the_repository_of_somebody_else(
    tmp_path: Path, workspace: Workspace, how: str
) -> None:
    theirs = Repository(tmp_path / "theirs")
    theirs.write(FILES).commit()
    mine = Repository(tmp_path / "mine")
    mine.write({"requirements.txt": ""})
    own = mine.root / ".git"
    match how:
        case "pointer":
            own.write_text("gitdir: ../theirs/.git\n")
        case "link":
            own.symlink_to("../theirs/.git")
        case "common":
            mine.git("init", "--quiet")
            (own / "commondir").write_text("../../theirs/.git\n")
        case _:
            own.mkdir()
            for part in ("objects", "refs"):
                (own / part).symlink_to(f"../../theirs/.git/{part}")
            (own / "HEAD").write_text("ref: refs/heads/main\n")

    with pytest.raises(UsageError, match="not in a repository"):
        await fetch(f"{mine.root}@HEAD", workspace)
    found = await fetch(str(mine.root), workspace)
    assert names(found) == {"requirements.txt"}
    assert found.commit is None


@pytest.mark.parametrize(
    "part",
    [
        "HEAD",
        "objects/info/alternates",
        "objects/info",
        "objects/pack",
        "objects/pack/their.pack",
        "objects/ab",
        "objects/ab/cd",
    ],
)
async def test_a_repository_cannot_borrow_the_commits_of_somebody_else(
    tmp_path: Path, workspace: Workspace, part: str
) -> None:
    theirs = Repository(tmp_path / "theirs")
    theirs.write(FILES).commit()
    mine = Repository(tmp_path / "mine")
    mine.write({"requirements.txt": ""}).commit()
    file, target = mine.root / ".git" / part, theirs.root / ".git" / part
    for one in (file, target):
        if one.is_dir():
            shutil.rmtree(one)
        one.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    if part.endswith("alternates"):
        file.write_text(f"{theirs.root}/.git/objects\n")
    else:
        file.symlink_to(target)
        target.touch()

    for spec in (f"{mine.root}@HEAD", str(mine.root)):
        with pytest.raises(SubmissionError, match=rf"{part} leads out of it.*--no-local"):
            await fetch(spec, workspace)


async def test_a_clone_that_borrows_objects_is_whole_after_another_clone(
    repository: Repository, tmp_path: Path, workspace: Workspace
) -> None:
    commit = repository.write(FILES).commit()
    repository.git("clone", "--quiet", "--shared", ".", str(tmp_path / "shared"))
    with pytest.raises(SubmissionError, match="alternates"):
        await fetch(str(tmp_path / "shared"), workspace)

    Repository(tmp_path / "shared").git("clone", "--quiet", "--no-local", ".", str(tmp_path / "whole"))
    assert (await fetch(str(tmp_path / "whole"), workspace)).commit == commit


async def test_a_submodule_is_a_submission(
    repository: Repository, tmp_path: Path, workspace: Workspace
) -> None:
    inner = Repository(tmp_path / "inner")
    commit = inner.write(FILES).commit()
    repository.commit()
    repository.git("submodule", "--quiet", "add", str(inner.root), "part")
    found = await fetch(f"{repository.root / 'part'}@HEAD", workspace)
    assert names(found) == set(FILES)
    assert found.commit == commit


async def test_both_sides_of_a_conflict_are_one_file(repository: Repository, workspace: Workspace) -> None:
    repository.write(FILES).commit()
    (repository.root / "link").symlink_to("pyproject.toml")
    blob = repository.git("hash-object", "-w", "link")
    entries = "".join(f"120000 {blob} {stage}\tlink\n" for stage in (1, 2, 3))
    repository.git("update-index", "--index-info", stdin=entries)
    assert names(await fetch(str(repository.root), workspace)) == {*FILES, "link"}


async def test_an_index_may_name_no_file_outside(
    repository: Repository, tmp_path: Path, workspace: Workspace
) -> None:
    repository.write(FILES).commit()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    _write_index(repository.root / ".git" / "index", [str(secret), "../secret", "pyproject.toml"])
    assert names(await fetch(str(repository.root), workspace)) <= set(FILES)
    assert secret.read_text() == "secret"


def _write_index(file: Path, paths: list[str]) -> None:
    """Write an index of git's own form (version 2) with names that git itself refuses."""
    content = struct.pack(">4sII", b"DIRC", 2, len(paths))
    for path in sorted(map(os.fsencode, paths)):
        entry = struct.pack(">10I20sH", *[0] * 6, 0o100644, 0, 0, 0, bytes(20), min(len(path), 0xFFF)) + path
        content += entry + bytes(8 - len(entry) % 8)
    file.write_bytes(content + hashlib.sha1(content).digest())


async def test_the_variables_of_a_hook_do_not_lead_git_astray(
    repository: Repository, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.write(FILES).commit()
    other = Repository(tmp_path / "other").write({"x": ""})
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
    found = await fetch(str(repository.root), workspace)
    assert (found.commit, names(found)) == (commit, set(FILES))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "empty"),
        ("-oops", "option"),
        ("--upload-pack=x", "option"),
        ("/no/such/folder", "no folder"),
        ("ext::sh -c id", "no folder"),
        ("git://127.0.0.1/x.git", "https://"),
        ("file:///no/such/repository", "could not be cloned"),
        ("ROOT@nope", "no commit, branch or tag nope"),
        ("ROOT@", "after the @"),
        ("ROOT@--all", "after the @"),
        ("file://ROOT@nope", "no commit, branch or tag nope"),
        ("file://ROOT@-x", "after the @"),
        ("ROOT/pyproject.toml", "is a file"),
    ],
)
async def test_wrong_use(repository: Repository, workspace: Workspace, spec: str, says: str) -> None:
    repository.write(FILES | {"docs/x.md": ""}).commit()
    with pytest.raises(UsageError, match=says):
        await fetch(spec.replace("ROOT", str(repository.root)), workspace)


async def test_a_repository_without_a_commit_cannot_be_cloned(
    repository: Repository, workspace: Workspace
) -> None:
    repository.git("init", "--quiet")
    with pytest.raises(UsageError, match="no commit yet"):
        await fetch(f"file://{repository.root}", workspace)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def host() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_host_that_is_down_is_the_machines_matter(workspace: Workspace) -> None:
    with pytest.raises(MachineError, match="network"):
        await fetch("http://127.0.0.1:1/org/repo.git", workspace)


async def test_a_host_in_trouble_is_the_machines_matter(workspace: Workspace, host: str) -> None:
    with pytest.raises(MachineError, match="network"):
        await fetch(f"http://{host}/503/repo.git", workspace)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_repository_that_is_not_ours_to_read_is_wrong_use(
    workspace: Workspace, host: str, status: int
) -> None:
    with pytest.raises(UsageError, match="could not be cloned") as caught:
        await fetch(f"http://me:s3cret@{host}/{status}/repo.git", workspace)
    assert "s3cret" not in f"{caught.value} {caught.value.detail}"


async def test_a_clone_that_hangs_is_given_up(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "CLONE_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MachineError, match=r"longer than"):
        await fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/repo.git", workspace)


def test_texts_are_read_from_inside_only(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    submission = repository.write({"a/b": "text"}).submission()
    assert submission.text("a/../a/b") == "text"
    assert submission.text("../outside") is None
    assert submission.text(str(tmp_path / "outside")) is None
    assert submission.text("a") is None
    assert submission.has("a")
    assert not submission.has("../outside")
