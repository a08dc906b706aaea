import subprocess
import sys
import time

import httpx
import pytest

from api.services.content_filter.filter import RuleName, load_filter
from api.services.errors import ContentRefusedError
from tests.api.support import RunService, ask
from tests.api.upstream import Upstream, completion

SECRETS = [
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a1B2" * 9,
    "sk-" + "proj-abcdefghijklmnopqrst",
    "xoxb-" + "123456789012",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJhZG1pbiJ9" + ".c2lnbmF0dXJl",
]
PERSONAL = [
    "ada.lovelace+maths@mail.example.org",
    "+44 20 7946 0958",
    "4111 1111 1111 1111",
    "5555555555554444",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
]
HARMLESS = [
    "",
    "Ask for a sketch: sk-etch, e.g. user@localhost, 3 + 4 = 7.",
    "4111 1111 1111 1112",
    "DE88 3704 0044 0532 0130 00",
    "ORDER 1234567890123 OF 2026-11-27",
    "eyJust a word.",
]


@pytest.mark.parametrize("rule", RuleName)
@pytest.mark.parametrize("text", HARMLESS)
def test_lets_pass(rule: RuleName, text: str) -> None:
    loaded = load_filter([rule])
    loaded.check(text)
    assert loaded.redact(text) == text


@pytest.mark.parametrize(
    ("rule", "found"),
    [*((RuleName.SECRETS, text) for text in SECRETS), *((RuleName.PERSONAL_DATA, text) for text in PERSONAL)],
)
def test_finds(rule: RuleName, found: str) -> None:
    loaded = load_filter([rule])
    with pytest.raises(ContentRefusedError):
        loaded.check(f"this: {found} AND MORE")
    assert loaded.redact(f"this: {found} AND MORE, {found}") == (
        f"this: [{rule} removed] AND MORE, [{rule} removed]"
    )


@pytest.mark.parametrize("rule", RuleName)
@pytest.mark.parametrize(
    "part", ["eyJ-", "eyJa.", "sk-", "a@", "a.", "1 ", "+1", "DE89 ", "A", "ghp_", "-----BEGIN "]
)
def test_hostile_texts_take_linear_time(rule: RuleName, part: str) -> None:
    loaded = load_filter([rule])
    seconds = []
    for size in (20_000, 200_000):
        began = time.process_time()
        loaded.redact(part * (size // len(part)))
        seconds.append(time.process_time() - began)

    assert seconds[1] < 40 * max(seconds[0], 0.005)  # ten times the text; quadratic would be a hundred


def test_no_rule_is_imported_unasked() -> None:
    program = (
        "import sys\nfrom api.services.content_filter.filter import load_filter\nload_filter([])\n"
        "print([name for name in sys.modules if name.startswith('api.services.content_filter.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "['api.services.content_filter.filter']"


async def test_prompts_are_refused_and_answers_redacted(run_service: RunService, upstream: Upstream) -> None:
    upstream.otherwise = completion(f"Write to {PERSONAL[0]}.")
    async with run_service(content_filters='["personal_data"]') as client:
        refused: httpx.Response = await ask(client, prompt=f"Who is {PERSONAL[0]}?")
        hidden = await ask(client, prompt="Who?", system_prompt=PERSONAL[1])
        answer = await ask(client, prompt="Who?")

    assert (refused.status_code, refused.json()["error"]) == (400, "content_refused")
    assert hidden.status_code == 400
    assert answer.json()["response"] == "Write to [personal_data removed]."
    assert len(upstream.calls) == 1
