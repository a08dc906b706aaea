"""The environments that a service must refuse to start with, by the name of the instance that meets each."""

from collections.abc import Mapping

from lab.contract import Secrets

MISSING_KEY = "no JWT_SECRET_KEY"
SHORT_KEY = "JWT_SECRET_KEY of 31 characters"
MINIMUM_LENGTH = 32

# The long ones are what becomes of a default that somebody made long enough instead of random.
DEFAULT_KEYS = {
    "empty JWT_SECRET_KEY": "",
    "JWT_SECRET_KEY=secret": "secret",
    "JWT_SECRET_KEY=changeme, four times": "changeme" * 4,
    "JWT_SECRET_KEY=your-secret-key-change-in-production": "your-secret-key-change-in-production",
    "JWT_SECRET_KEY=dev-secret-key-do-not-use-in-production": "dev-secret-key-do-not-use-in-production",
}
MALFORMED_URLS = {
    "malformed LITELLM_URL": "LITELLM_URL",
    "malformed QDRANT_URL": "QDRANT_URL",
}
_NO_URL = "not a url"


def changes(secrets: Secrets) -> dict[str, Mapping[str, str | None]]:
    """Return what each instance's environment differs in; None takes a variable away."""
    return {
        MISSING_KEY: {"JWT_SECRET_KEY": None},
        **{instance: {"JWT_SECRET_KEY": key} for instance, key in DEFAULT_KEYS.items()},
        SHORT_KEY: {"JWT_SECRET_KEY": secrets.jwt_key[: MINIMUM_LENGTH - 1]},
        **{instance: {variable: _NO_URL} for instance, variable in MALFORMED_URLS.items()},
    }


def patience(usual: float) -> float:
    """Return how many seconds an instance has to refuse, where the service needs `usual` seconds to start."""
    return max(20.0, 2 * usual)
