"""The checks of part 1. All but one read the submission's files."""

import re
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from chaos.history import File, History, Ready
from exercises.assignment1.part1_setup import packages, sources
from exercises.assignment1.part1_setup.packages import Declared, PyprojectError
from lab.env_file import variables
from lab.verdict import Verdict, all_of, failed, passed

FILES = (
    "src/main.py",
    "src/config/settings.py",
    "src/api/chat.py",
    "src/api/health.py",
    "src/models/requests.py",
    "src/models/responses.py",
    "src/services/llm.py",
    "tests/test_api.py",
    "tests/test_llm_service.py",
    ".env.example",
    "pyproject.toml",
    "README.md",
)
CONTRACT_VARIABLES = (
    "OPENAI_API_KEY",
    "DEFAULT_MODEL",
    "RATE_LIMIT_REQUESTS",
    "RATE_LIMIT_WINDOW",
    "MAX_TOKENS_PER_REQUEST",
    "DAILY_COST_LIMIT",
)

_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>```|~~~)[`~]*+[ \t{.]*+(?P<language>[\w+-]*+)[^\n]*\n(?P<text>.*?)^[ \t]*(?P=fence)",
    re.MULTILINE | re.DOTALL,
)
_SHELLS = {
    *("sh", "bash", "shell", "console", "zsh", "fish", "text", "txt", "terminal", "commandline"),
    *(
        "shell-session",
        "shellsession",
        "sh-session",
        "shellscript",
        "powershell",
        "pwsh",
        "ps1",
        "cmd",
        "bat",
    ),
}
"""Those of the page, and others by which a block of commands may be marked."""
_ENV_FILES = {"env", "dotenv", "ini", "properties", "plaintext"}
"""How the content of a `.env` may be marked, which is a way to say what to configure."""
_CONTAINERS = r"\bdocker[ -]compose\b.* up\b|\bdocker run\b"
_STEPS = {
    "install": re.compile(
        r"\buv (sync|pip install|pip sync|venv)\b|\bpip3? install\b|\b(conda|mamba|hatch) env create\b"
        r"|\b(poetry|pdm|pipenv|pixi|rye|make|just|task|mise|mise run) (install|sync|setup)\b"
        rf"|{_CONTAINERS}"
    ),
    "configure": re.compile(r"\.env\b|\bOPENAI_API_KEY\b"),
    "start": re.compile(
        r"\buvicorn\b|\bfastapi (run|dev)\b|\bgunicorn\b|\bhypercorn\b|\bgranian\b|\bdaphne\b"
        r"|\b(litestar|quart|flask)\b.*\brun\b|\b(make|just|mise|mise run|poe|task) (run|start|serve|dev|up)\b"
        r"|\b(uv|poetry|pdm|hatch|pixi) run (start|serve|dev|api|app|-m [\w.]+)"
        r"|(?<![\w/])(\./|(ba)?sh )[\w./-]*(run|start|serve|dev)\w*(\.sh)?\b"
        rf"|\bpython3? (?!-m (?:venv|pip|pytest|unittest|json|http)\b)(-m [\w.]+|[\w./-]+\.py)|{_CONTAINERS}"
    ),
}
_REAL_KEY = re.compile(
    r"\b(sk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,}|AIza[\w-]{30,}|gsk_\w{20,}|hf_\w{20,})\b"
)
_PLACEHOLDER = re.compile(
    r"your|change|replace|example|placeholder|xxx|\.\.\.|<|todo|dummy|here|insert|fake|test", re.IGNORECASE
)
_RUNS = "0123456789012345678901234567890 abcdefghijklmnopqrstuvwxyz"
_RUN = 7
"""So many characters that count up, such as 1234567, are nobody's secret."""
_FEW = 6
_SECRET = re.compile(r"(API_)?KEY$|SECRET|TOKEN$|PASSWORD", re.IGNORECASE)


def has_the_structure(files: History) -> Verdict:
    recorded = {file.path: file for file in files.of(File)}
    wanted = [*FILES, *_packages(recorded)]
    missing = [path for path in wanted if path not in recorded]
    if missing:
        return failed(
            f"the {len(FILES)} prescribed files, and an __init__.py in each package",
            f"not there: {', '.join(missing)}",
        )
    return passed(f"{len(wanted)} files are where they belong", recorded["src/main.py"])


def declares_its_dependencies(files: History) -> Verdict:
    expected = "pyproject.toml declares every package that src/ and tests/ import"
    project = files.file("pyproject.toml")
    if project is None:
        return failed(expected, "there is no pyproject.toml")
    try:
        known = Declared.read(project.text)
    except PyprojectError as error:
        return failed(expected, f"pyproject.toml declares nothing: {error}", project)
    code = [file for file in files.of(File) if file.path.startswith(("src/", "tests/"))]
    own = {PurePosixPath(file.path).parts[0] for file in code} | _own_modules(code)
    used = {name: path for name, path in sources.imports(code).items() if name not in own}
    # What src/ imports has to be there where the service runs; a group or extra is not.
    missing = {
        name: path
        for name, path in used.items()
        if not packages.is_declared(name, known.service if path.startswith("src/") else known.everything)
    }
    if missing:
        told = ", ".join(f"{name} (imported in {path})" for name, path in sorted(missing.items())[:5])
        return failed(expected, f"not declared: {told}", project)
    if not used:
        return failed(expected, "src/ imports no package at all", project)
    return passed(f"{len(used)} imported packages are declared, and were installed", project)


def starts(requests: History) -> Verdict:
    ready = requests.instance().first(Ready)
    path = requests.contract.endpoints["alive"]
    if ready is None:
        return failed(f"an answer on GET {path} within 60 s", "there was none")
    return passed(f"it answered GET {path}", ready)


def env_example_is_complete(files: History) -> Verdict:
    expected = ".env.example names every variable that the code reads, with placeholders for secrets"
    example = files.file(".env.example")
    if example is None:
        return failed(expected, "there is no .env.example")
    named = {variable.name for variable in variables(example.text)}
    return all_of([_no_real_key(example, expected), _all_named(files, example, named, expected)])


def readme_sets_up(files: History) -> Verdict:
    expected = "shell blocks that install, configure and start the service"
    readme = files.file("README.md")
    if readme is None:
        return failed(expected, "there is no README.md")
    commands = _blocks(readme, _SHELLS)
    places = {"configure": commands + _blocks(readme, _ENV_FILES)}
    missing = [step for step, pattern in _STEPS.items() if not pattern.search(places.get(step, commands))]
    if missing:
        return failed(expected, f"no shell block that says how to {' or '.join(missing)} it", readme)
    return passed("its shell blocks install, configure and start", readme)


def _blocks(readme: File, languages: AbstractSet[str]) -> str:
    """Return the text of all blocks that are marked as one of these languages."""
    found = (block for block in _BLOCK.finditer(readme.text) if block["language"].lower() in languages)
    return "\n".join(block["text"] for block in found)


def _packages(recorded: dict[str, File]) -> list[str]:
    """Return the __init__.py that the folders with Python modules need, from `src` and `tests` downwards."""
    folders = {"src", "tests"}
    for path in recorded:
        parents = PurePosixPath(path).parents
        if path.endswith(".py") and path.startswith("src/"):
            folders |= {str(parent) for parent in parents if str(parent) != "."}
    return [f"{folder}/__init__.py" for folder in sorted(folders)]


def _own_modules(code: list[File]) -> set[str]:
    """Return what the submission's files are called where they are imported by their bare names."""
    return {part.removesuffix(".py") for file in code for part in PurePosixPath(file.path).parts[1:]}


def _all_named(files: History, example: File, named: set[str], expected: str) -> Verdict:
    read = sources.variables_read([file for file in files.of(File) if file.path.startswith("src/")])
    wanted = dict.fromkeys(CONTRACT_VARIABLES, "the contract") | read
    missing = sorted(set(wanted) - named)
    if missing:
        told = ", ".join(f"{name} ({wanted[name]})" for name in missing[:6])
        return failed(expected, f"it does not name {told}", example)
    return passed(f"it names all {len(wanted)} variables that are read", example)


def _no_real_key(example: File, expected: str) -> Verdict:
    for variable in variables(example.text):
        value = variable.value
        real = _REAL_KEY.search(value)
        if not _PLACEHOLDER.search(value) and (
            (real and _looks_drawn(real[0])) or _is_random(variable.name, value)
        ):
            return failed(expected, f"{variable.name} has a value that looks like a real secret", example)
    return passed("no value in it is a usable secret", example)


def _is_random(name: str, value: str) -> bool:
    """Whether a secret's value looks drawn: long, and of letters and digits alone."""
    return bool(_SECRET.search(name)) and len(value) >= 16 and value.isalnum() and _looks_drawn(value)


def _looks_drawn(value: str) -> bool:
    """Whether a value has digits among its letters, few of them repeated, and does not count up."""
    lower = value.lower()
    counts_up = any(_RUNS[begin : begin + _RUN] in lower for begin in range(len(_RUNS) - _RUN + 1))
    return len(set(value)) > _FEW and any(map(str.isdigit, value)) and not counts_up
