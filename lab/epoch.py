"""Reads numbers that say a time since 1970, in whatever unit."""

UNITS = (1.0, 1e3, 1e6, 1e9)
"""What a second has of the units in use: seconds to nanoseconds."""
PLAUSIBLE = (1e9, 1e10)
"""Seconds since 1970 from 2001 to 2286, by which a number shows its unit."""
LARGEST = 10**20
"""Beyond the nanoseconds of any year; what JSON can write beyond that is more than a float holds."""


def seconds_since_1970(number: float) -> float | None:
    """Return the seconds that a number says; None where it says no time of these centuries."""
    if not -LARGEST < number < LARGEST:
        return None
    return next((number / unit for unit in UNITS if PLAUSIBLE[0] <= number / unit < PLAUSIBLE[1]), None)
