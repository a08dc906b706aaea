"""Reports of lines, as the programs that count them write them, and as nobody should."""

from pathlib import Path

import pytest

from chaos.own_tests.covered_lines import (
    REPORT_BYTES,
    Lines,
    missing_from,
    parse_json,
    parse_lcov,
    read_report,
)

LCOV = """TN:
SF:src/app.js
FN:1,main
DA:1,1
DA:2,0
DA:3,4,checksum
end_of_record
SF:src/app.js
DA:2,1
DA:4,0
end_of_record
"""


def test_a_line_that_ran_once_has_run() -> None:
    assert parse_lcov(LCOV.encode()) == {"src/app.js": Lines({1, 2, 3, 4}, {4})}


def test_a_report_in_json() -> None:
    assert parse_json(b'{"src/a.py": [[1, 2, 5], [5]]}') == {"src/a.py": Lines({1, 2, 5}, {5})}


def test_lines_are_counted() -> None:
    counted = Lines({1, 2, 5}, {5, 9}).counted("src/a.py")
    assert (counted.file, counted.lines, counted.executed) == ("src/a.py", 3, 2)


@pytest.mark.parametrize("report", [b"DA:one,1", b"SF:a\nDA:1", b"\xff\xfe", b"DA:" + b"9" * 5000 + b",1"])
def test_what_is_no_lcov(report: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them is the caller's one sentence
        parse_lcov(report)


@pytest.mark.parametrize(
    "report", [b"", b"[]", b'{"a": 1}', b'{"a": [[1], ["2"]]}', b'{"a": [[1]]}', b"[" * 100_000]
)
def test_what_is_no_json_of_lines(report: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        parse_json(report)


def test_files_in_no_report_count_with_all_that_is_not_blank() -> None:
    found = {"src/a.js": Lines({1}, set())}
    assert missing_from(found, {"src/a.js": "one", "src/b.js": "one\n\n  \ntwo\n"}) == {
        "src/b.js": Lines({1, 4}, {1, 4})
    }


def test_reports_that_are_none(tmp_path: Path) -> None:
    large, link, folder = tmp_path / "large", tmp_path / "link", tmp_path / "folder"
    large.write_bytes(b" " * (REPORT_BYTES + 1))
    (tmp_path / "other").write_text("{}")
    link.symlink_to(tmp_path / "other")
    folder.mkdir()
    for report in (large, link, folder, tmp_path / "missing"):
        with pytest.raises(ValueError, match="no report"):
            read_report(tmp_path, report)
