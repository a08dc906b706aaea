"""A box: what a program in it has, and all that it has not."""

import contextlib
import dataclasses
import itertools
import json
import os
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chaos.files import small_files
from chaos.history import Answer, Cleared, Exited, History, Log
from chaos.http_client import Client
from chaos.own_tests.run import run_tests
from chaos.recorder import Recorder
from chaos.sandbox.bubblewrap import (
    TMP_BYTES,
    Box,
    find_bubblewrap,
    interpreter_folders,
    links_on_the_way,
    write_settings,
)
from chaos.sandbox.disk import MOST_BYTES, MOST_ENTRIES
from chaos.sandbox.probe import sandbox_refusal
from chaos.sandbox.program import SandboxProgram
from grading import sandbox
from grading.runtime import fill
from grading.sandbox import CONTROL_PORT, Nest
from grading.submission import Submission
from grading.workspace import Workspace

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(bool(sandbox_refusal()), reason="no box can be made on this machine by this user"),
]
SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Boxes:
    """Programs in boxes, in the network of a nest."""

    def __init__(self, nest: Nest, folder: Path) -> None:
        self.nest = nest
        self.folder = folder / "disk"
        self.folder.mkdir()
        (folder / "files").mkdir()
        (folder / "files" / "own").write_text("x")
        submission = Submission("files", "files", folder / "files")
        self.root = nest.make_disk(self.folder, submission)
        fill(self.root, submission)
        settings = folder / "settings"
        settings.mkdir()
        write_settings(settings)
        program = find_bubblewrap()
        assert program
        python = Path(sys.executable)
        readable = (Path(sys.prefix), *interpreter_folders(python))
        self.box = Box(program, settings, readable, (self.folder,), tuple(links_on_the_way(python)))
        self.recorder = Recorder()
        self._ports = itertools.count(20_000)

    @property
    def history(self) -> History:
        return self.recorder.history()

    def program(self, source: str) -> SandboxProgram:
        def env(_host: str, port: int) -> Mapping[str, str]:
            return {"PATH": "/usr/bin:/bin", "PORT": str(port), "HOME": str(self.folder)}

        return SandboxProgram(
            argv=lambda _host, _port: [sys.executable, "-c", textwrap.dedent(source)],
            env=env,
            python=Path(sys.executable),
            root=self.root,
            repository=self.root / "repository",
            workdir=self.root,
            folder=self.folder,
            box=self.box,
            services=self.nest.services,
            address=self.nest.address_of_services,
            ports=self._ports,
        )

    async def said(self, source: str) -> Any:
        """Run a program to its end; returns what it prints as JSON."""
        service, _, _ = await self.program(source).start({}, instance="service", recorder=self.recorder)
        async with service:
            assert await service.wait_exit(20)
        lines = [line.text for line in self.history.of(Log)]
        assert len(lines) == 1, lines
        return json.loads(lines[0])


@pytest.fixture
async def boxes(tmp_path: Path) -> AsyncIterator[Boxes]:
    with Workspace.open(tmp_path) as workspace:
        async with sandbox.nest_of(workspace, seed=1) as nest:
            yield Boxes(nest, tmp_path)


async def test_a_service_is_reached_from_the_labs_addresses(boxes: Boxes) -> None:
    service, host, port = await boxes.program(SERVER).start({}, instance="service", recorder=boxes.recorder)
    client = Client(f"http://{host}:{port}", boxes.recorder, boxes.nest)
    async with service:
        seen: set[str] = set()
        while len(seen) < 3:
            assert not boxes.history.of(Exited), boxes.history.of(Log)
            answer = await client.request("GET", "/", label="asked")
            if isinstance(answer, Answer):
                seen.add(answer.body)
        assert await service.count_listeners(port) == 1

    assert seen <= set(boxes.nest.addresses)


async def test_an_interpreter_may_be_a_link_to_a_link(boxes: Boxes, tmp_path: Path) -> None:
    """As an environment has it whose interpreter uv, pyenv or somebody's own folder of programs provides."""
    versions, own = tmp_path / "versions", tmp_path / "own"
    versions.mkdir()
    (versions / "3").symlink_to(sys.prefix)
    own.mkdir()
    link = own / "python"
    link.symlink_to(Path("..", "versions", "3", "bin", "python"))
    boxes.box = dataclasses.replace(boxes.box, links=tuple(links_on_the_way(link)))
    program = dataclasses.replace(
        boxes.program(""), argv=lambda _host, _port: [str(link), "-c", "print('here', flush=True)"]
    )

    service, _, _ = await program.start({}, instance="service", recorder=boxes.recorder)
    async with service:
        assert await service.wait_exit(20)

    assert [line.text for line in boxes.history.of(Log)] == ["here"]


async def test_a_signal_reaches_the_program_itself(boxes: Boxes) -> None:
    source = """
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print("ready", flush=True)
        signal.pause()
    """
    service, _, _ = await boxes.program(source).start({}, instance="service", recorder=boxes.recorder)
    async with service:
        while not boxes.history.of(Log):
            await service.wait_exit(0.05)
        service.signal("TERM")
        exited = await service.wait_exit(10)

    assert exited is not None
    assert exited.code == 7


async def test_a_program_that_handles_no_signal_dies_of_it_as_anywhere(boxes: Boxes) -> None:
    source = "import signal\nprint('ready', flush=True)\nsignal.pause()"
    service, _, _ = await boxes.program(source).start({}, instance="service", recorder=boxes.recorder)
    async with service:
        while not boxes.history.of(Log):
            await service.wait_exit(0.05)
        service.signal("TERM")
        exited = await service.wait_exit(10)

    assert exited is not None
    assert exited.code == 128 + 15


async def test_it_sees_no_process_but_its_own(boxes: Boxes) -> None:
    source = """
        import json, os
        print(json.dumps([int(name) for name in os.listdir("/proc") if name.isdigit()]))
    """
    assert max(await boxes.said(source)) < 10


async def test_it_reads_nothing_of_this_machine_but_the_system(boxes: Boxes, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("x")
    places = [
        str(tmp_path / "private"),
        str(Path.home()),
        "/etc/shadow",
        "/etc/hostname",
        "/root",
        "/var/lib",
        "/home",
    ]
    source = f"import json, os\nprint(json.dumps([os.path.exists(one) for one in {places!r}]))"

    found = dict(zip(places, await boxes.said(source), strict=True))

    # The folders above the interpreter and its own are there, with nothing else in them.
    there_anyway = (sys.prefix, sys.base_prefix, str(boxes.folder))
    above = [place for place in places if any(one.startswith(place) for one in there_anyway)]
    assert [place for place, there in found.items() if there and place not in above] == []


async def test_it_writes_to_its_folder_and_its_tmp_alone(boxes: Boxes) -> None:
    own = [str(boxes.folder), "/tmp", "/var/tmp", "/dev/shm"]
    places = [*own, "/", "/usr", "/etc", sys.prefix, "/proc/sys/kernel", "/dev"]
    source = f"""
        import json, os
        def writes(place):
            try:
                with open(os.path.join(place, "written"), "w") as file:
                    file.write("x")
                return True
            except OSError:
                return False
        print(json.dumps([writes(place) for place in {places!r}]))
    """
    found = dict(zip(places, await boxes.said(source), strict=True))

    assert [place for place, writes in found.items() if writes] == own
    assert (boxes.root / "written").exists()
    assert list(boxes.folder.iterdir()) == [], "nothing of it is on this machine's disk"


async def test_what_services_expect_of_a_machine_is_there(boxes: Boxes) -> None:
    said = await boxes.said("""
        import socket
        import tempfile
        server = socket.create_server(("127.0.0.1", 8000))
        socket.create_connection((socket.gethostname(), 8000)).close()
        with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
            file.write(b"x")
        print('"ok"')
    """)
    assert said == "ok"


async def test_it_reaches_neither_this_machine_nor_the_labs_loopback(boxes: Boxes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as here:
        addresses = [
            ("127.0.0.1", here.getsockname()[1]),
            ("127.0.0.1", CONTROL_PORT),
            (boxes.nest.address, CONTROL_PORT),
            ("192.0.2.1", 80),
        ]
        source = f"""
            import json, socket
            def reaches(address):
                try:
                    socket.create_connection(address, timeout=2).close()
                    return True
                except OSError:
                    return False
            print(json.dumps([reaches(address) for address in {addresses!r}]))
        """
        assert await boxes.said(source) == [False] * len(addresses)


async def test_it_has_no_rights_and_gains_none(boxes: Boxes) -> None:
    source = """
        import json
        status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
        print(json.dumps([int(status["CapEff"], 16), int(status["CapBnd"], 16), int(status["NoNewPrivs"])]))
    """
    assert await boxes.said(source) == [0, 0, 1]


async def test_it_can_make_no_namespaces_of_its_own(boxes: Boxes) -> None:
    source = """
        import ctypes, json
        print(json.dumps(ctypes.CDLL(None).unshare(0x10000000)))
    """
    assert await boxes.said(source) == -1


async def test_it_changes_no_setting_of_the_kernel(boxes: Boxes) -> None:
    # A box of root's belongs to this machine's root, who may write these without any capability.
    source = """
        import json, os
        def opens(path):
            try:
                os.close(os.open(path, os.O_WRONLY))
                return True
            except OSError:
                return False
        files = [os.path.join(folder, name) for folder, _, names in os.walk("/proc/sys") for name in names]
        print(json.dumps([len(files) > 100, *filter(opens, files)]))
    """
    assert await boxes.said(source) == [True]


async def test_a_daemon_ends_with_its_box(boxes: Boxes) -> None:
    source = """
        import os, time
        if not os.fork():
            os.setsid()
            if not os.fork():
                time.sleep(60)
    """
    service, _, _ = await boxes.program(source).start({}, instance="service", recorder=boxes.recorder)
    async with service:
        assert await service.wait_exit(10)

    assert [event.code for event in boxes.history.of(Exited)] == [0]
    assert not [one for one in _boxed() if str(boxes.folder) in one]


async def test_what_fills_the_disk_meets_its_end_and_not_the_machines(boxes: Boxes) -> None:
    source = """
        import errno, json, os
        def fill(place):
            written = 0
            try:
                with open(os.path.join(place, "full"), "wb", buffering=0) as file:
                    while True:
                        written += file.write(bytes(1 << 20))
            except OSError as error:
                return written, errno.errorcode[error.errno]
        print(json.dumps([fill(place) for place in (".", "/tmp", "/dev/shm")]))
    """
    found = await boxes.said(source)

    assert sum(written for written, _ in found) <= MOST_BYTES + 2 * TMP_BYTES + (1 << 20)
    assert {reason for _, reason in found} == {"ENOSPC"}


async def test_the_number_of_files_has_a_bound_too(boxes: Boxes) -> None:
    source = """
        import errno, itertools, json
        try:
            for number in itertools.count():
                open(f"empty-{number}", "w").close()
        except OSError as error:
            print(json.dumps([number, errno.errorcode[error.errno]]))
    """
    made, reason = await boxes.said(source)

    assert made <= MOST_ENTRIES
    assert reason == "ENOSPC"


async def test_what_it_leaves_on_its_disk_is_read_within_bounds(boxes: Boxes) -> None:
    source = """
        import json, os
        with open("traces.json", "w") as file:
            file.write("here")
        with open("sparse", "wb") as file:
            file.truncate(1 << 30)
        os.symlink("/etc/passwd", "link")
        os.mkfifo("pipe")
        for _ in range(10_000):
            os.mkdir("d")
            os.chdir("d")
        print(json.dumps("done"))
    """
    assert await boxes.said(source) == "done"

    found = dict(small_files(boxes.root, 1 << 20))

    assert found == {"repository/own": b"x", "traces.json": b"here"}


async def test_a_second_instance_finds_the_files_of_the_first(boxes: Boxes) -> None:
    await boxes.said("import json, pathlib\npathlib.Path('kept').write_text('1')\nprint(json.dumps(1))")
    second = boxes.program("print(open('kept').read())")
    service, _, _ = await second.start({}, instance="second", recorder=boxes.recorder)
    async with service:
        assert await service.wait_exit(10)

    assert [line.text for line in boxes.history.of(Log)] == ["1", "1"]


async def test_links_that_one_instance_makes_lead_the_next_nowhere(boxes: Boxes, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    source = f"""
        import json, os, shutil
        for name in ("tmp", "home", "repository"):
            shutil.rmtree(name, ignore_errors=True)
            os.symlink({str(tmp_path / "private")!r}, name)
        print(json.dumps(os.listdir(".")))
    """
    assert set(await boxes.said(source)) == {"tmp", "home", "repository"}
    second = """
        import os
        for place in ("/tmp", "/dev/shm", "tmp", "repository"):
            try:
                open(os.path.join(place, "written"), "w").close()
            except OSError:
                pass
    """
    service, _, _ = await boxes.program(second).start({}, instance="second", recorder=boxes.recorder)
    async with service:
        assert await service.wait_exit(10)

    assert list((tmp_path / "private").iterdir()) == []


async def test_the_processor_time_of_all_in_a_box_is_measured(boxes: Boxes) -> None:
    source = """
        import os, time
        if not os.fork():
            os.setsid()
            while time.process_time() < 0.5:
                pass
            print("burnt", flush=True)
        time.sleep(60)
    """
    service, _, _ = await boxes.program(source).start({}, instance="service", recorder=boxes.recorder)
    async with service:
        while not boxes.history.of(Log):
            await service.wait_exit(0.05)

    [cleared] = boxes.history.of(Cleared)
    assert 0.4 <= cleared.processor < 10  # the kernel counts in ticks


async def test_own_tests_have_a_loopback_alone(boxes: Boxes) -> None:
    words = ["-c", "print(open('/proc/net/dev').read().count(':'))"]
    service = await boxes.program("").run_python(words, {}, instance="tests", recorder=boxes.recorder)
    async with service:
        assert await service.wait_exit(10)

    assert [line.text for line in boxes.history.of(Log)] == ["1"]


async def test_what_a_submissions_own_tests_report_is_read_from_the_box(boxes: Boxes) -> None:
    program = boxes.program("")
    (program.repository / "tests").mkdir()
    (program.repository / "tests/test_own.py").write_text("def test_it():\n    assert True\n")

    [run] = await run_tests(program, boxes.recorder, variables={})

    assert (run.problem, [(case.name, case.outcome) for case in run.cases]) == ("", [("test_it", "passed")])


def _boxed() -> list[str]:
    """The command lines of this user's processes."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if folder.stat().st_uid == os.getuid():
                    found.append((folder / "cmdline").read_text())
    return found
