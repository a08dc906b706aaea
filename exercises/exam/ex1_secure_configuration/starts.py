"""The environments that a service must refuse to start with, by the name of the instance that meets each."""

from collections.abc import Mapping

from chaos.contract import Contract

MINIMUM_LENGTH = 32
TOKEN_KEY = "token_key"  # noqa: S105 - its name
"""The secret of the contract that tokens are signed with."""

# The long ones are what becomes of a default that somebody made long enough instead of random.
_DEFAULT_KEYS = {
    "empty {key}": "",
    "{key}=secret": "secret",
    "{key}=changeme, four times": "changeme" * 4,
    "{key}=your-secret-key-change-in-production": "your-secret-key-change-in-production",
    "{key}=dev-secret-key-do-not-use-in-production": "dev-secret-key-do-not-use-in-production",
}
_WITH_URL = ("litellm", "qdrant")
_NO_URL = "not a url"


def key_variable(contract: Contract) -> str:
    """Return the variable that carries the key of tokens."""
    return contract.secrets[TOKEN_KEY].variable


def missing_key(contract: Contract) -> str:
    """Return the name of the instance without a key."""
    return f"no {key_variable(contract)}"


def short_key(contract: Contract) -> str:
    """Return the name of the instance whose key is one character too short."""
    return f"{key_variable(contract)} of {MINIMUM_LENGTH - 1} characters"


def default_keys(contract: Contract) -> dict[str, str]:
    """Return well-known keys, by the names of the instances that get them."""
    return {name.format(key=key_variable(contract)): value for name, value in _DEFAULT_KEYS.items()}


def malformed_urls(contract: Contract) -> dict[str, str]:
    """Return the variables that hold no URL, by the names of the instances where they do not."""
    variables = [contract.upstreams[upstream].variable for upstream in _WITH_URL]
    return {f"malformed {variable}": variable for variable in variables}


def changes(contract: Contract, secrets: Mapping[str, str]) -> dict[str, Mapping[str, str | None]]:
    """Return what each instance's environment differs in; None takes a variable away."""
    key = key_variable(contract)
    return {
        missing_key(contract): {key: None},
        **{instance: {key: value} for instance, value in default_keys(contract).items()},
        short_key(contract): {key: secrets[TOKEN_KEY][: MINIMUM_LENGTH - 1]},
        **{instance: {variable: _NO_URL} for instance, variable in malformed_urls(contract).items()},
    }


def patience(usual: float) -> float:
    """Return how many seconds an instance has to refuse, where the service needs `usual` seconds to start."""
    return max(20.0, 2 * usual)
