"""The environments that a service must refuse to start with, by the name of the instance that meets each."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Template

from chaos.contract import Contract
from lab.axes import Axis

MINIMUM_LENGTH = 32
TOKEN_KEY = "token_key"  # noqa: S105 - its name
"""The secret of the contract that tokens are signed with."""

WELL_KNOWN_WORDS = ("changeme", "secret")
"""What every well-known key has in it that a service must refuse."""
_WELL_KNOWN_KEY = WELL_KNOWN_WORDS[1]

# The long ones are what becomes of a default that somebody made long enough instead of random.
PUBLISHED: Mapping[str, str | None] = {
    "empty {key}": "",
    "{key}=secret": "secret",
    "{key}=changeme, four times": "changeme" * 4,
    "{key}=your-secret-key-change-in-production": "your-secret-key-change-in-production",
    "{key}=dev-secret-key-do-not-use-in-production": "dev-secret-key-do-not-use-in-production",
    "{key} of 31 characters": None,
}
"""Keys by the names of the instances that get them; None is a random one, one character too short."""

Choose = Callable[[Sequence[str]], str]


def _repeated(choose: Choose) -> str:
    word = choose(("SECRET", "Secret"))  # in small letters it is padded
    return choose(("", "-", "_", ".", " ")).join([word] * int(choose(("6", "7", "8"))))


def _padded(choose: Choose) -> str:
    return _beside("secret", choose(("0", "x", "1", "-", ".", "!")) * int(choose(("26", "34", "42"))), choose)


def _padded_with_a_sequence(choose: Choose) -> str:
    sequences = (
        "12345678901234567890123456789012",
        "abcdefghijklmnopqrstuvwxyz",
        "-0123456789-abcdef-0123456789",
    )
    return _beside(choose(("ChangeMe", "CHANGEME", "Changeme")), choose(sequences), choose)


def _of_a_template(choose: Choose) -> str:
    words = (
        "for-signing-the-tokens-of-this-api",
        "please-fill-in-before-deployment",
        "generate-a-new-one-here",
    )
    return f"{choose(('your-secret-key', 'dev-secret'))}-{choose(words)}"


def _beside(word: str, padding: str, choose: Choose) -> str:
    return choose((word + padding, padding + word))


LONGER_KEYS: Axis[Callable[[Choose], str]] = Axis(
    "ways to lengthen a key",
    {
        "a word in capitals, repeated": _repeated,
        "a padded word": _padded,
        "a word in capitals, padded with a sequence": _padded_with_a_sequence,
        "a template's beginning with other words": _of_a_template,
    },
)

_SCHEMES = ("ftp", "htp", "htpp", "ws", "redis", "file")
MALFORMED: Axis[Sequence[str]] = Axis(
    "kinds of malformed address",
    {
        "no ://": ("https", "http", "http//$upstream"),
        "no host": ("http://", "https://"),
        "a port alone": ("http://:4000", "https://:6333", "http://:4000/v1"),
        # What stands before the @ is a password, which nobody may print for being in a malformed address.
        "another scheme": [f"{scheme}://api:$password@$upstream:4000" for scheme in _SCHEMES],
        "nothing like a URL": ("not a url", "://x", "   ", "$upstream:4000", "localhost", "/v1"),
        "empty": ("",),
    },
)

_NO_LISTS = ('["https://chat.example.org"', "[https://chat.example.org]", '["https://chat.example.org",')
_ADDRESSES = ("litellm", "qdrant")
_MAY_BE_A_PATH = "mlflow"
"""MLflow's client takes paths and other schemes too, but nothing takes an http address without a host."""
_GROUP = "bad "


@dataclass(frozen=True, slots=True)
class Bad:
    """A value that a variable must not have, and how it is shown; None takes the variable away."""

    shown: str
    value: str | None


Faults = Mapping[str, Bad]
"""Bad values by their variables."""


def key_variable(contract: Contract) -> str:
    """Return the variable that carries the key of tokens."""
    return contract.secrets[TOKEN_KEY].variable


def missing_key(contract: Contract) -> str:
    """Return the name of the instance without a key."""
    return f"no {key_variable(contract)}"


def elsewhere(contract: Contract) -> dict[str, str | None]:
    """Return the environment of somebody who has forgotten what is the same for all instances, such as ENVIRONMENT."""
    return dict.fromkeys(contract.variables, None)


def missing_key_elsewhere(contract: Contract) -> str:
    """Return the name of the instance without a key for which these variables are forgotten too."""
    return _elsewhere(contract, missing_key(contract))


def well_known_key_elsewhere(contract: Contract) -> str:
    """Return the name of the instance with a well-known key for which these variables are forgotten too."""
    return _elsewhere(contract, f"{key_variable(contract)}={_WELL_KNOWN_KEY}")


def keys_elsewhere(contract: Contract) -> dict[str, str | None]:
    """Return keys that are refused whatever is forgotten, by the names of the instances that get them.

    There are none where a contract has nothing that could be forgotten.
    """
    if not elsewhere(contract):
        return {}
    return {missing_key_elsewhere(contract): None, well_known_key_elsewhere(contract): _WELL_KNOWN_KEY}


def published_keys(contract: Contract, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return insecure keys that every run tries, by the names of the instances that get them."""
    short = secrets[TOKEN_KEY][: MINIMUM_LENGTH - 1]
    return {
        name.format(key=key_variable(contract)): short if key is None else key
        for name, key in PUBLISHED.items()
    }


def published_names(contract: Contract) -> tuple[str, ...]:
    """Return the names of the instances with keys that every run tries."""
    return tuple(name.format(key=key_variable(contract)) for name in PUBLISHED)


def longer_key(contract: Contract, kind: str, key: str = "") -> str:
    """Return the name of the instance whose key is made longer in a way; without the `key`, how such names begin."""
    return f"{key_variable(contract)}, {kind}: {key}"


def passwords(contract: Contract) -> tuple[str, ...]:
    """Return the variables of passwords that a deployment has to set."""
    needed = {user.password for user in contract.users.values()}
    found = (contract.secrets[name] for name in sorted(needed))
    return tuple(one.variable for one in found if one.value is None and one.variable)


def addresses(contract: Contract) -> tuple[str, ...]:
    """Return the variables that have to hold an address, those first whose every value is judged."""
    return tuple(contract.upstreams[name].variable for name in (*_ADDRESSES, _MAY_BE_A_PATH))


def origins(contract: Contract) -> tuple[str, ...]:
    """Return the variables that hold a JSON list of origins."""
    return tuple(name for name, template in contract.origin.variables.items() if template == "$origins")


def rows(contract: Contract, secrets: Mapping[str, str], choose: Choose) -> list[Faults]:
    """Return environments in which variables are bad: every kind of malformed address meets both.

    A service that names all of them refuses a row in one start. In the first, one address alone is bad: a refusal that
    names others as well says nothing about them.
    """
    found: list[Faults] = []
    for kind, samples in MALFORMED.values.items():
        row = {
            contract.upstreams[name].variable: _address(name, choose(samples), secrets) for name in _ADDRESSES
        }
        if not found:
            alone = next(iter(row))
            found.append({alone: row.pop(alone)})
        if kind == "no host":
            row[contract.upstreams[_MAY_BE_A_PATH].variable] = _address("", choose(samples), secrets)
            row |= {variable: _bad_list(choose) for variable in origins(contract)}
        if kind == "empty":
            row |= dict.fromkeys(passwords(contract), Bad("missing", None))
        found.append(row)
    return found


def group(faults: Faults) -> str:
    """Return the name of the instance in which these variables are bad."""
    return _GROUP + ", ".join(f"{variable} ({bad.shown})" for variable, bad in faults.items())


def is_group(instance: str) -> bool:
    """Whether an instance had bad addresses or no passwords."""
    return instance.startswith(_GROUP)


def named_in(text: str, variables: Sequence[str]) -> tuple[str, ...]:
    """Return those variables whose names stand in a text, in whatever case and with whatever between their words."""
    return tuple(
        variable
        for variable in variables
        if re.search(r"[\W_]*".join(variable.split("_")), text, re.IGNORECASE)
    )


def patience(usual: float) -> float:
    """Return how many seconds an instance has to refuse, where the service needs `usual` seconds to start."""
    return max(20.0, 2 * usual)


def _elsewhere(contract: Contract, instance: str) -> str:
    return f"{instance} and no {', '.join(elsewhere(contract))}"


def _bad_list(choose: Choose) -> Bad:
    value = choose(_NO_LISTS)
    return Bad(f"'{value}'", value)


def _address(upstream: str, template: str, secrets: Mapping[str, str]) -> Bad:
    filled = Template(template)
    hidden = {"upstream": upstream, "password": "***"}
    value = filled.safe_substitute(hidden | {"password": secrets["user_password"]})
    return Bad(f"'{filled.safe_substitute(hidden)}'", value)
