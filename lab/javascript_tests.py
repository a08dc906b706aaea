"""Reads a submission's tests in JavaScript or TypeScript by their text: which of them assert anything.

There is no parser here. A test is found by its title in its file, and reaches to where its call ends.
"""

import re
from collections.abc import Iterator, Sequence

from chaos.history import File, OwnTest
from chaos.node_tests import TEST_FILE, TEST_FOLDERS

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

_CALL = re.compile(
    r"(?<![\w$])(?P<call>(?:t|ctx|test|it|specify)(?P<mark>(?:\.\w+)*)(?:\((?:[^()\n]|\([^()\n]*\))*\))?)\s*\(\s*"
    r"(?P<title>'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`(?:\\.|[^`\\])*`)"
)
_MARKS_OUT = re.compile(r"\.(?:skip|todo|fails|failing)\b")
_ASSERTION = re.compile(
    r"(?<![\w$])(?:assert|expect|should)(?:\.\w+)*\s*\(|\bt\.(?:assert|is|deepEqual|throws|rejects|equal|ok)\w*(?:\.\w+)*\s*\("
    r"|\.should\b|\bthrow new (?:\w*Assertion)?Error\b|\.expect\("
)
_EMPTY = re.compile(
    r"(?<![\w$.])(?:assert|expect)(?:\.\w+)*\s*\(\s*(?:(?:true|false|null|undefined|[\d.]+|'[^'\n]*'|\"[^\"\n]*\")\s*,?\s*)*\)"
    r"|\bt\.(?:assert|is|equal|ok)(?:\.\w+)*\s*\(\s*(?:(?:true|[\d.]+)\s*,?\s*)*\)"
)
_NOTHING_EXPECTED = re.compile(
    r"(?<![\w$])expect\((?P<same>[\w.]+)\)\.(?:to\w+|not)(?:\.\w+)*\(\s*(?P=same)\s*\)"
)
_HELPER = re.compile(
    r"(?<![\w$.])(?:function\*?\s+(?P<name>[\w$]+)\s*\(|(?:const|let|var)\s+(?P<arrow>[\w$]+)\s*=\s*(?:async\s*)?(?:function|\())"
)
_USED = re.compile(r"(?<![\w$.])([\w$]+)(?:\.\w+)*\s*\(")
_IMPORTED = re.compile(
    r"(?:import\s+(?P<names>[^;'\"]+?)\s+from\s*|(?:const|let|var)\s+(?P<required>[^;=]+?)\s*=\s*require\(\s*)"
    r"['\"](?:node:)?assert(?:/strict)?['\"]"
)
_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", re.DOTALL)
_LONGEST = 400_000
_TAMPERING = {
    re.compile(r"process\s*\.\s*(?:exit|reallyExit|abort|kill)\s*\("): "ends the process of the tests",
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
        self._tests = {path: list(_tests(text)) for path, text in texts.items()}

    def asserts(self, case: OwnTest) -> bool:
        """Whether the source of a test asserts something that can fail, itself or by a helper of the tests'."""
        tests = self._tests.get(case.file, [])
        found = [body for title, body in tests if title.fullmatch(case.name)]
        return any(self._asserts(body) for body in found)

    def _asserts(self, body: str) -> bool:
        return _asserts(body) or any(name in self._helpers for name in _USED.findall(body))


def _code(text: str) -> str:
    return _COMMENT.sub("", text)


def _tests(text: str) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield the title, as a pattern, and the body of each test that is not marked to be left out."""
    for found in _CALL.finditer(text):
        if not _MARKS_OUT.search(found["mark"]):
            yield _title(found["title"]), text[found.end() : _end_of_call(text, found.end())]


def _title(literal: str) -> re.Pattern[str]:
    """Return what the title of a test can be: templates and `%s` stand for anything."""
    quote, inner = literal[0], literal[1:-1]
    pieces = re.split(r"\$\{[^}]*\}" if quote == "`" else r"%[sdifjop#]|\$[\w.]+", inner)
    plain = (re.sub(r"\\(.)", r"\1", piece) for piece in pieces)
    return re.compile(".*".join(map(re.escape, plain)), re.DOTALL)


def _end_of_call(text: str, start: int) -> int:
    """Return where the call whose arguments go on at `start` ends; quoted brackets do not count."""
    depth, position = 1, start
    while position < len(text):
        character = text[position]
        if character in "'\"`":
            position = _end_of_text(text, position)
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return position
        position += 1
    return len(text)


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
        if _asserts(body.partition("\n}")[0]):
            yield helper["name"] or helper["arrow"]


def _imported_assertions(text: str) -> Iterator[str]:
    """Yield the names under which a file has Node's assertions."""
    for found in _IMPORTED.finditer(text):
        for piece in (found["names"] or found["required"]).strip("{} \n").split(","):
            name = re.split(r"\s+as\s+|:", piece)[-1].strip("{}* \n")
            if re.fullmatch(r"[\w$]+", name) and name != "assert":
                yield name


def _asserts(body: str) -> bool:
    kept = _NOTHING_EXPECTED.sub("", _EMPTY.sub("", body))
    return bool(_ASSERTION.search(kept))
