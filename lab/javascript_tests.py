"""Reads a submission's tests in JavaScript or TypeScript by their text: which of them assert anything.

There is no parser here. A test is found by its title in its file, and reaches to where its call ends. Tests whose titles
are computed cannot be told apart, and count together.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from chaos.history import File, OwnTest
from chaos.own_tests.node import TEST_FILE, TEST_FOLDERS

ENDINGS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx")
_EXTENSIONS = ("*.[jt]s", "*.[cm][jt]s", "*.[jt]sx")
PATTERNS = tuple(
    f"{prefix}{place}{extension}"
    for prefix in ("", "*/")
    for extension in _EXTENSIONS
    for place in (
        "test/**/",
        "tests/**/",
        "__tests__/**/",
        "spec/**/",
        "src/**/*test",
        "src/**/*spec",
        "*test",
        "*spec",
    )
)
"""The files of tests, and what lies beside them, in the root or in a folder of it."""

_TEXT = r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`(?:\\.|[^`\\])*`"
_LITERAL = re.compile(_TEXT, re.DOTALL)
_MEMBERS = r"(?:\.\w+){0,8}"
_CALL = re.compile(rf"(?<![\w$])(?P<name>t|ctx|test|it|specify)(?P<marks>{_MEMBERS})\s*(?=[(`])")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_OPENS = re.compile(r"\s*\(")
_BY_TABLE = {"each", "for", "if", "runIf", "skipIf"}
"""Marks whose call returns the function that takes the title."""
_MARKS_OUT = {"skip", "todo", "fails", "failing"}
_MARKS = {"concurrent", "only", "sequential", "test", *_BY_TABLE}
"""Marks of tests whose titles are computed: `t.after(hook, ...)` and `t.assert.ok(value, ...)` are no tests."""
_ASSERTION = re.compile(
    rf"(?<![\w$])(?:assert|expect|should){_MEMBERS}\s*\("
    rf"|\bt\.(?:assert|is|deepEqual|throws|rejects|equal|ok)\w*{_MEMBERS}\s*\("
    r"|\.should\b|\bthrow new (?:\w*Assertion)?Error\b|\.expect\("
)
_EMPTY = re.compile(
    rf"(?<![\w$.])(?:assert|expect){_MEMBERS}\s*\(\s*"
    r"(?:(?:true|false|null|undefined|[\d.]++|'[^'\n]*'|\"[^\"\n]*\")\s*+,?\s*+)*+\)"
    rf"|\bt\.(?:assert|is|equal|ok){_MEMBERS}\s*\(\s*(?:(?:true|[\d.]++)\s*+,?\s*+)*+\)"
)
_NOTHING_EXPECTED = re.compile(
    rf"(?<![\w$])expect\((?P<same>[\w.]+)\)\.(?:to\w+|not){_MEMBERS}\(\s*(?P=same)\s*\)"
)
_HELPER = re.compile(
    r"(?<![\w$.])(?:function\*?\s+(?P<name>[\w$]+)\s*\("
    r"|(?:const|let|var)\s+(?P<arrow>[\w$]+)\s*=\s*(?:async\s*)?(?:function|\(|[\w$]+\s*=>))"
)
_HELPER_ENDS = re.compile(r"\n(?:\}|(?:test|it|describe|suite)\b)")
_LAST_NAME = re.compile(r"(?<![\w$.])([\w$]++)\s*+,?\s*+$")
_USED = re.compile(r"(?<![\w$.])([\w$]+)(?:\.\w+)*\s*\(")
_IMPORTED = re.compile(
    r"(?:import\s(?P<names>[^;'\"]{1,500}?)\sfrom\s{0,20}"
    r"|(?:const|let|var)\s(?P<required>[^;=]{1,500})=\s{0,20}require\(\s{0,20})"
    r"['\"](?:node:)?assert(?:/strict)?['\"]"
)
_COMMENT = re.compile(rf"(?P<text>{_TEXT})|/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", re.DOTALL)
_LONGEST = 400_000
_MOST_READ = 3 * _LONGEST
"""Characters of a file, and of its tests together: some are inside of others. The rest is not read."""
_TAMPERING = {
    re.compile(
        r"process\s*\.\s*(?:(?:exit|reallyExit|abort)\s*\(|kill\s*\(\s*(?!(?!process\b)[\w$]+\s*\.\s*pid\b))"
    ): "ends the process of the tests",
    re.compile(r"process\s*\.\s*exitCode\s*="): "sets the exit code of the tests",
    re.compile(r"/proc/|process\s*\.\s*ppid"): "looks for the process that runs the tests",
    re.compile(
        r"test-reporter|outputFile|testResultsProcessor|reporter-option"
    ): "names how results are reported",
}


def is_javascript(path: str) -> bool:
    return path.endswith(ENDINGS)


def tampering(files: Sequence[File]) -> str:
    """Say what in these files can change the results of tests; an empty string where nothing does."""
    for file in files:
        if _is_test(file.path):
            text = _code(file.text)
            for pattern, what in _TAMPERING.items():
                if pattern.search(text):
                    return f"{file.path} {what}"
    return ""


def _is_test(path: str) -> bool:
    """Whether a file belongs to the tests, by its name or its folder."""
    *folders, name = path.split("/")
    return bool(is_javascript(path) and (TEST_FILE.fullmatch(name) or TEST_FOLDERS.intersection(folders)))


class JavaScriptTests:
    """The tests in recorded files, each by its file and title."""

    def __init__(self, files: Sequence[File]) -> None:
        texts = {file.path: _code(file.text[:_LONGEST]) for file in files if is_javascript(file.path)}
        self._helpers = {
            name
            for text in texts.values()
            for name in (*_asserting_helpers(text), *_imported_assertions(text))
        }
        self._tests = {
            path: [(title, self._asserts(body)) for title, body in _tests(text)]
            for path, text in texts.items()
        }

    def asserts(self, case: OwnTest) -> bool:
        """Whether the source of a test asserts something that can fail, itself or by a helper of the tests'."""
        tests = self._tests.get(case.file, [])
        titled = [asserts for title, asserts in tests if title and title.fullmatch(case.name)]
        computed = [asserts for title, asserts in tests if title is None]
        return any(titled) if titled else bool(computed) and all(computed)

    def _asserts(self, body: str) -> bool:
        named = _USED.findall(body) + _LAST_NAME.findall(body)
        return _asserts(body) or any(name in self._helpers for name in named)


def _code(text: str) -> str:
    """Return a text without its comments; what looks like one in a quotation stays."""
    return _COMMENT.sub(lambda found: found["text"] or "", text)


def _tests(text: str) -> Iterator[tuple[re.Pattern[str] | None, str]]:
    """Yield the title and the body of each test that is not marked to be left out.

    A title is a pattern, or None if it is computed: `test(name, ...)`, `test("refuses " + name, ...)`.
    """
    calls = _Calls.of(text)
    read = 0
    for found in _CALL.finditer(text):
        marks = set(found["marks"].split(".")[1:])
        opening = calls.taking_the_title(found.end(), by_table=bool(marks & _BY_TABLE))
        if opening is None or marks & _MARKS_OUT:
            continue
        comma = calls.commas.get(opening)
        if comma is None:
            continue  # a call with one argument is no test
        title = text[opening + 1 : comma].strip()
        body = text[comma : calls.ends.get(opening, len(text))]
        read += len(body)
        if read > _MOST_READ:
            return
        if _LITERAL.fullmatch(title):
            yield _title(title), body
        elif marks <= _MARKS and _is_test_call(text, found):
            yield None, body


def _is_test_call(text: str, found: re.Match[str]) -> bool:
    """Whether a call whose first argument may be anything makes a test: `/x/.test(value, 1)` and `t(value, 1)` do not."""
    is_method = text[found.start() - 1 : found.start()] == "."
    return not is_method and (found["name"] not in {"t", "ctx"} or "test" in found["marks"])


@dataclass(frozen=True, slots=True)
class _Calls:
    """Where the calls of a text end, and where their first arguments do, by the places of their opening brackets."""

    text: str
    ends: Mapping[int, int]
    commas: Mapping[int, int]

    @classmethod
    def of(cls, text: str) -> Self:
        """Find all brackets in one pass. Quoted ones do not count, nor those in patterns that close nothing."""
        ends: dict[int, int] = {}
        commas: dict[int, int] = {}
        opened: list[int] = []
        position = 0
        while position < len(text):
            character = text[position]
            if character in "'\"`":
                position = _end_of_text(text, position)
            elif character in _CLOSES:
                opened.append(position)
            elif opened and character == _CLOSES[text[opened[-1]]]:
                ends[opened.pop()] = position
            elif character == "," and opened and text[opened[-1]] == "(":
                commas.setdefault(opened[-1], position)
            position += 1
        return cls(text, ends, commas)

    def taking_the_title(self, start: int, *, by_table: bool) -> int | None:
        """Return the bracket before the title of the call whose arguments, or whose table, open at `start`."""
        if not by_table:
            return start if self.text[start] == "(" else None
        end = self.ends.get(start) if self.text[start] == "(" else _end_of_text(self.text, start)
        following = None if end is None else _OPENS.match(self.text, end + 1)
        return following.end() - 1 if following else None


def _title(literal: str) -> re.Pattern[str]:
    """Return what the title of a test can be: templates and `%s` stand for anything."""
    quote, inner = literal[0], literal[1:-1]
    pieces = re.split(r"\$\{[^}]*\}" if quote == "`" else r"%[sdifjop#]|\$[\w.]+", inner)
    plain = (re.sub(r"\\(.)", r"\1", piece) for piece in pieces)
    return re.compile(".*".join(map(re.escape, plain)), re.DOTALL)


def _end_of_text(text: str, start: int) -> int:
    quote, position = text[start], start + 1
    while position < len(text) and text[position] != quote:
        if quote != "`" and text[position] == "\n":
            return start  # an apostrophe in a pattern, as it seems
        position += 1 + (text[position] == "\\")
    return position


def _asserting_helpers(text: str) -> Iterator[str]:
    """Yield the functions of a file whose bodies assert something."""
    found = list(_HELPER.finditer(text))
    ends = [*(following.start() for following in found[1:]), len(text)]
    for helper, end in zip(found, ends if found else [], strict=True):
        body = text[helper.end() : end]
        if _asserts(_HELPER_ENDS.split(body, maxsplit=1)[0]):
            yield helper["name"] or helper["arrow"]


def _imported_assertions(text: str) -> Iterator[str]:
    """Yield the names under which a file has Node's assertions."""
    for found in _IMPORTED.finditer(text):
        for piece in (found["names"] or found["required"]).strip("{} \t\r\n").split(","):
            name = re.split(r"\s+as\s+|:", piece)[-1].strip("{}* \t\r\n")
            if re.fullmatch(r"[\w$]+", name) and name != "assert":
                yield name


def _asserts(body: str) -> bool:
    kept = _NOTHING_EXPECTED.sub("", _EMPTY.sub("", body))
    return bool(_ASSERTION.search(kept))
