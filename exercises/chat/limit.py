"""Tries a limit of requests for each address: a sequence, a crowd, forged headers, another address.

It is done twice, on addresses of their own. Where a limit counts in fixed windows, one can end in the middle of a
round, which then has more answers than the limit allows; it cannot end in both.
"""

import asyncio

from lab.lab import Lab

ROUNDS = (1, 2)
BEYOND = 2
PATIENCE = 30.0
FORGED = (
    {"x-forwarded-for": "203.0.113.9"},
    {"forwarded": "for=203.0.113.9"},
    {"x-real-ip": "203.0.113.9"},
    {"x-forwarded-for": "203.0.113.10, 203.0.113.11", "x-client-ip": "203.0.113.12"},
)


async def try_limit(lab: Lab, allowed: int) -> list[str]:
    """Ask more often than `allowed`; labels end in the number of the round. Returns the addresses of the sequences."""
    return [await _round(lab, allowed, number) for number in ROUNDS]


async def _round(lab: Lab, allowed: int, number: int) -> str:
    first, other, crowd = (lab.client.next_source() for _ in range(3))
    for position in range(allowed + BEYOND):
        label = "allowed" if position < allowed else "beyond"
        await lab.generate(label=f"{label} {number}", source=first, timeout=PATIENCE)
    for headers in FORGED:
        await lab.generate(label=f"forged {number}", source=first, headers=headers, timeout=PATIENCE)
    await lab.generate(label=f"another address {number}", source=other, timeout=PATIENCE)
    await lab.get(lab.endpoint("health"), label=f"health {number}", source=first)
    at_once = (
        lab.generate(label=f"at once {number}", source=crowd, timeout=PATIENCE) for _ in range(2 * allowed)
    )
    await asyncio.gather(*at_once)
    return first
