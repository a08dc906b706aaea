"""Request ids: the header of an answer, and ids to send that are sane or are not."""

import random
import string

from chaos.history import Answer
from lab.lab import Lab

HEADER = "x-request-id"
MAX_LENGTH = 128

INSANE = (
    "",
    "x" * 129,
    "x" * 4000,
    "two words",
    "tab\tbed",
    'quote"d',
    "<script>alert(1)</script>",
    "semi;colon",
    "new%0aline",
    "caf\xe9",
    "{jndi}",
    "../../etc/passwd",
)
"""Values that a service must not take over: empty, too long, or with other characters than the page allows."""


def sane(source: random.Random) -> list[str]:
    """Return ids that a service has to keep: a short one, a usual one, and one of each kind of character."""
    word = "".join(source.choices(string.ascii_lowercase + string.digits, k=12))
    usual = f"{source.getrandbits(128):032x}"
    return [word[0], f"Monday-{word}", f"{word}.9_A", usual, (usual * 4)[:MAX_LENGTH]]


def request_id(answer: Answer) -> str:
    """Return the request id of an answer; an empty string where it has none."""
    return answer.headers.get(HEADER, "").strip()


async def send_ids(lab: Lab, source: random.Random) -> None:
    """Send ids that are sane, and twice each those that are not, with requests for the health.

    An id of the service's own is another one the second time; one that is made of the caller's is not.
    """
    for label, values in (("sane id", sane(source)), ("insane id", INSANE * 2)):
        for value in values:
            await lab.get(lab.endpoint("health"), label=label, headers={HEADER: value})
