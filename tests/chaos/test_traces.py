"""What makes a trace: prompt, answer, model and token counts, in whatever form they come."""

import bz2
import gzip
import io
import itertools
import json
import lzma
import pickle
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chaos.history import TRACE_PARTS, TracePart
from chaos.keys import Keys, expected_answer
from chaos.trace_files import READ_BYTES, TraceFiles
from chaos.traces import Generation, TraceBook, decompressed, documents

KEY, OTHER = itertools.islice(Keys(3, "traces"), 2)
MODEL = "groq-kimi-primary"
GENERATION = Generation(KEY, frozenset({MODEL}), (frozenset({31, 12}), frozenset({43})))
RUN = "0123456789abcdef0123456789abcdef"
WHOLE: dict[str, Any] = {
    "time": "2026-11-27T00:31:12.430Z",
    "prompt": f"Where is {KEY}?",
    "response": expected_answer(KEY),
    "model": MODEL,
    "prompt_tokens": 31,
    "completion_tokens": 12,
    "latency": 0.43,
}


def held(*contents: bytes | str, names: tuple[str, ...] = (), is_file: bool = False) -> tuple[TracePart, ...]:
    book = TraceBook()
    for content, name in itertools.zip_longest(contents, names, fillvalue=""):
        raw = content.encode() if isinstance(content, str) else content
        for document in documents(decompressed(raw), [MODEL], name=str(name), is_file=is_file):
            book.add(document)
    return book.holds(GENERATION)


def without(*names: str) -> str:
    return json.dumps({name: value for name, value in WHOLE.items() if name not in names})


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("traces.jsonl", content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(WHOLE),
        json.dumps({**without_counts, "usage": {"in": 31, "out": 12}})
        if (without_counts := {k: v for k, v in WHOLE.items() if "tokens" not in k})
        else "",
        json.dumps({"params": [{"key": name, "value": str(value)} for name, value in WHOLE.items()]}),
        json.dumps({"spanInputs": json.dumps(WHOLE)}),
        json.dumps([WHOLE], indent=2),
        str(WHOLE),
        "\n".join(f"{name}: {value}" for name, value in WHOLE.items()),
        " ".join(f"{name}={value!r}" for name, value in WHOLE.items()),
        f"prompt,answer,model,total\nWhere is {KEY}?,{expected_answer(KEY)},{MODEL},43\n",
        json.dumps({**without_counts, "tokens": 43.0}),
    ],
)
def test_a_trace_may_have_any_form(content: str) -> None:
    assert held(content) == TRACE_PARTS


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (without("response"), ("prompt", "model", "tokens")),
        (without("prompt"), ("answer", "model", "tokens")),
        (without("model"), ("prompt", "answer", "tokens")),
        (without("prompt_tokens", "completion_tokens"), ("prompt", "answer", "model")),
        (without("completion_tokens"), ("prompt", "answer", "model")),
        (json.dumps({**WHOLE, "prompt_tokens": 0, "completion_tokens": 0}), ("prompt", "answer", "model")),
        (f"{KEY}", ("prompt",)),
        ("nothing", ()),
    ],
)
def test_what_is_missing_is_told(content: str, parts: tuple[str, ...]) -> None:
    assert held(content) == parts


def test_lines_of_a_log_are_no_trace_together() -> None:
    lines = [
        json.dumps({"prompt": KEY}),
        json.dumps({"answer": expected_answer(KEY), "model": MODEL, "n": 43}),
    ]
    assert held("\n".join(lines)) == ("answer", "model", "tokens")


def test_entries_of_one_run_belong_together() -> None:
    entries = [json.dumps({"run_id": RUN, "key": name, "value": str(value)}) for name, value in WHOLE.items()]
    assert held(*entries) == TRACE_PARTS
    assert held(*(entry.replace(RUN, RUN[::-1]) if "tokens" in entry else entry for entry in entries)) == (
        "prompt",
        "answer",
        "model",
    )


@pytest.mark.parametrize("name", ["01J9Z6Q3W4", "tr-1", RUN])
def test_lines_that_name_the_same_trace_belong_together(name: str) -> None:
    asked = json.dumps({"event": "begin", "trace_id": name, "prompt": KEY})
    said = json.dumps(
        {"event": "end", "trace_id": name, "answer": expected_answer(KEY), "model": MODEL, "total": 43}
    )
    assert held(f"{asked}\n{said}\n") == TRACE_PARTS
    for other in ("another-1", "none"):
        assert held(f"{asked}\n{said.replace(name, other)}\n") != TRACE_PARTS
    assert held(f"{asked.replace(name, 'none')}\n{said.replace(name, 'none')}\n") != TRACE_PARTS


def test_counts_are_read_from_spans_in_protobuf() -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    outer, inner = (spans.add(trace_id=bytes.fromhex(RUN), name=name) for name in ("generate", "model"))
    outer.attributes.add(key="inputs").value.string_value = KEY
    outer.attributes.add(key="outputs").value.string_value = f"{expected_answer(KEY)} {MODEL}"
    assert held(request.SerializeToString()) == ("prompt", "answer", "model")
    inner.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 31
    inner.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = 12
    assert held(request.SerializeToString()) == TRACE_PARTS


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zlib.compress, bz2.compress, lzma.compress, zipped, lambda raw: gzip.compress(b"{}\n") + gzip.compress(raw)],
)  # fmt: skip
def test_compressed_content_is_read(pack: Callable[[bytes], bytes]) -> None:
    content = json.dumps(WHOLE).encode()
    assert held(pack(content + b"\n" + content)) == TRACE_PARTS
    assert KEY.encode() not in pack(content * 2)


def test_a_compressed_file_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    lines = (json.dumps(WHOLE) + "\n").encode() + bytes(range(256)) * 40
    assert "prompt" in held(gzip.compress(lines)[:-40])


@pytest.mark.parametrize(
    "content", [b"\x1f\x8bnothing", b"BZhnothing", b"PK\x03\x04", b"\xfd7zXZ\x00", b"\x78\x9c"]
)
def test_what_only_looks_compressed_does_no_harm(content: bytes) -> None:
    assert held(content) == ()


def test_a_zip_file_is_read_no_further_than_any_other() -> None:
    assert len(decompressed(zipped(bytes(2**20)) * 50, 2**21)) == 2**21


def test_one_look_reads_no_more_than_there_is_time_for(tmp_path: Path) -> None:
    for number in range(2 * READ_BYTES // 2**24):
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(bytes(2**24) + KEY.encode()))
    (tmp_path / "traces.jsonl").write_text(json.dumps(WHOLE))
    [trace] = TraceFiles(tmp_path).look([GENERATION])
    assert trace.detail != "traces.jsonl"


def test_files_of_any_kind_are_searched(tmp_path: Path) -> None:
    (tmp_path / "traces.pickle").write_bytes(pickle.dumps([WHOLE]))
    [trace] = TraceFiles(tmp_path).look([GENERATION])
    assert (trace.key, trace.place, trace.detail, trace.holds) == (KEY, "file", "traces.pickle", TRACE_PARTS)


def test_rows_of_a_database_are_traces(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "outbox.db") as database:
        database.execute("create table outbox (prompt, answer, model, n_in integer, n_out integer)")
        row = (WHOLE["prompt"], WHOLE["response"], MODEL, 31, 12)
        database.execute("insert into outbox values (?, ?, ?, ?, ?)", row)
    database.close()
    [trace] = TraceFiles(tmp_path).look([GENERATION])
    assert trace.holds == TRACE_PARTS


def test_a_folder_of_a_run_is_one_trace(tmp_path: Path) -> None:
    folder = tmp_path / "mlruns" / "0" / RUN / "params"
    folder.mkdir(parents=True)
    for name, value in WHOLE.items():
        (folder / name).write_text(str(value))
    [trace] = TraceFiles(tmp_path).look([GENERATION])
    assert trace.holds == TRACE_PARTS


def test_what_was_found_is_told_once_and_again_when_there_is_more(tmp_path: Path) -> None:
    files = TraceFiles(tmp_path)
    log = tmp_path / "prompts.log"
    log.write_text(KEY)
    assert [trace.holds for trace in files.look([GENERATION])] == [("prompt",)]
    assert files.look([GENERATION]) == []
    log.write_text(f"{KEY}\n")
    (tmp_path / "traces.jsonl").write_text(json.dumps(WHOLE))
    assert [trace.holds for trace in files.look([GENERATION])] == [TRACE_PARTS]


def test_what_a_submission_brings_along_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "brought.jsonl").write_text(json.dumps(WHOLE))
    files = TraceFiles(tmp_path)
    files.leave_out_present()
    assert files.look([GENERATION]) == []
    (tmp_path / "written.jsonl").write_text(json.dumps(WHOLE))
    assert [trace.detail for trace in files.look([GENERATION])] == ["written.jsonl"]
