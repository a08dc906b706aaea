import random

import jwt
import pytest

from exercises.exam.ex1_secure_configuration import forgeries
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED, KINDS, KNOWN_KEYS, Genuine
from lab import tokens
from tests.exam import CONTRACT

NOW = 1_790_000_000.0
SECRETS = CONTRACT.draw(random.Random(1))


def _genuine(key: str = SECRETS["token_key"], algorithm: str = "HS256") -> Genuine:
    admin, user = (
        jwt.encode({"sub": name, "iat": NOW, "exp": NOW + 3600}, key, algorithm=algorithm)
        for name in ("admin", "user")
    )
    return Genuine(admin, user, SECRETS, NOW)


def _forged(genuine: Genuine) -> dict[str, str]:
    made = {name: forge(genuine) for name, forge in KINDS.items()}
    return {name: token for name, token in made.items() if token is not None}


def test_no_forgery_passes_a_careful_verifier() -> None:
    genuine = _genuine()
    forged = list(_forged(genuine).values())
    forged += [forgeries.signed_with(genuine, key) for key in KNOWN_KEYS.values()]

    assert len(forged) == len(set(forged)) == len(KINDS) + len(KNOWN_KEYS)
    for token in forged:
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(token, SECRETS["token_key"], algorithms=["HS256"])


def test_forgeries_differ_from_a_real_token_in_one_thing() -> None:
    genuine = _genuine()
    forged = _forged(genuine)

    for name in (EXPIRED, "expired two minutes ago", "in another algorithm"):
        assert tokens.is_signed_with(forged[name], SECRETS["token_key"])
    assert tokens.claims_of(forged[EXPIRED]) == {"sub": "admin", "iat": NOW - 7200, "exp": NOW - 3600}
    assert tokens.algorithm_of(forged["in another algorithm"]) == "HS512"
    assert tokens.algorithm_of(forged["in a third algorithm"]) == "HS384"
    known = forgeries.signed_with(genuine, "changeme")
    assert tokens.is_signed_with(known, "changeme")
    assert tokens.claims_of(known) == genuine.claims
    assert tokens.claims_of(forged["a later end"]) == {**genuine.claims, "exp": NOW + 365 * 86_400}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_forgers_key_signs_in_the_services_own_algorithm(algorithm: str) -> None:
    genuine = _genuine(algorithm=algorithm)
    forged = _forged(genuine)

    assert tokens.algorithm_of(forgeries.signed_with(genuine, "changeme")) == algorithm
    assert tokens.algorithm_of(forged["signed with another key"]) == algorithm
    others = {tokens.algorithm_of(forged[f"in a{other} algorithm"]) for other in ("nother", " third")}
    assert others == {"HS256", "HS384", "HS512"} - {algorithm}


def test_nobody_can_make_a_token_with_a_key_that_is_not_known() -> None:
    forged = _forged(_genuine("k" * 40))

    assert not {EXPIRED, "in another algorithm"} & set(forged)


def test_opaque_tokens_are_tampered_with_too() -> None:
    genuine = Genuine("3f9a81c2", "77b0d1e4", SECRETS, NOW)
    forged = _forged(genuine)

    assert EXPIRED not in forged
    assert not {"3f9a81c2", "77b0d1e4", ""} & set(forged.values())
