"""Judges `.env.example`: whether it names what has to be set, and holds nothing that works as it stands."""

import re

from chaos.contract import Contract
from chaos.history import File, History
from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.placeholders import is_placeholder, random_part
from lab import env_file
from lab.verdict import Verdict, failed, passed

_PASSWORDS = ("admin_password", "user_password")
_SECRET_NAME = re.compile(r"(^|_)(KEY|SECRET|TOKEN|PASSWORD|PASSWD)(_|$)", re.IGNORECASE)
_PROVIDERS_KEY = re.compile(r"\b(sk-|gsk_|hf_|ghp_|github_pat_|xox[bp]-|AIza|AKIA)\S{16,}")
_IN_A_URL = re.compile(r"://[^\s/@:]*:([^\s/@]+)@")
_COMMENT = re.compile(r"(?:^|\s)#(.*)")
# A comment may name what else is random: an address, an image, a commit.
_ADDRESS = re.compile(r"\S*(?:://|@?sha256:)\S*|\bcommit\s+\S+")
_COMMENTED_KEY_LENGTH = 20
_LONGEST_COMMENT = 1000


def env_example_is_complete(repository: History) -> Verdict:
    expected = ".env.example names every required variable and holds no usable secret"
    files = sorted(
        (file for file in repository.of(File) if file.path.rpartition("/")[2] == ".env.example"),
        key=lambda file: file.path.count("/"),
    )
    if not files:
        return failed(expected, "there is no .env.example")
    contract = repository.contract
    first = files[0]
    if missing := [name for name in contract.required if not re.search(rf"\b{name}\b", first.text)]:
        return failed(expected, f"{first.path} does not name {', '.join(missing)}", first)
    for file in files:
        if usable := _usable(file.text, contract):
            return failed(
                expected, f"{file.path} holds {usable}; write placeholders in <angle brackets>", file
            )
    return passed(f"{first.path} names all {len(contract.required)} and holds no usable secret", first)


def _usable(text: str, contract: Contract) -> str | None:
    """Say which secrets of a file could be taken into use as they stand; None where there are none."""
    names = [one.name for one in env_file.variables(text) if _is_usable(one, contract)]
    if names:
        return f"a usable value of {', '.join(dict.fromkeys(names))}"
    for number, line in enumerate(text.splitlines(), start=1):
        if (comment := _COMMENT.search(line)) and _holds_a_key(comment[1][:_LONGEST_COMMENT]):
            return f"something that looks like a real key in the comment of line {number}"
    return None


def _is_usable(variable: env_file.Variable, contract: Contract) -> bool:
    """Whether a value works as it stands. What is commented out is one sign away from it."""
    value = variable.value
    if any(variable.name in contract.secrets[one].variables for one in _PASSWORDS):
        return not is_placeholder(value)
    if variable.name == starts.key_variable(contract):
        long = len(value) >= starts.MINIMUM_LENGTH
        return long and not is_placeholder(value) and not _is_refused(value)
    if _PROVIDERS_KEY.search(value) and random_part(value):
        return True
    if _SECRET_NAME.search(variable.name):
        return random_part(value) is not None
    return any(random_part(password) for password in _IN_A_URL.findall(value))


def _is_refused(key: str) -> bool:
    """Whether the service has to refuse a key of that length for the words in it."""
    return not random_part(key) and any(word in key.lower() for word in starts.WELL_KNOWN_WORDS)


def _holds_a_key(comment: str) -> bool:
    found = random_part(_ADDRESS.sub(" ", comment))
    return found is not None and len(found) >= _COMMENTED_KEY_LENGTH
