import random

import jwt
import pytest

from exercises.exam.ex1_secure_configuration import tokens
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED, WELL_KNOWN_KEYS, forge
from tests.exam import CONTRACT

NOW = 1_790_000_000.0
SECRETS = CONTRACT.draw(random.Random(1))


def _token(user: str, key: str = SECRETS["token_key"]) -> str:
    return jwt.encode({"sub": user, "iat": NOW, "exp": NOW + 3600}, key, algorithm="HS256")


def test_no_forgery_passes_a_careful_verifier() -> None:
    forged = forge(_token("admin"), _token("user"), SECRETS, now=NOW)

    assert len(forged) >= len(WELL_KNOWN_KEYS) + 8
    assert len(set(forged.values())) == len(forged)
    for token in forged.values():
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(token, SECRETS["token_key"], algorithms=["HS256"])


def test_forgeries_differ_from_a_real_token_in_one_thing() -> None:
    forged = forge(_token("admin"), _token("user"), SECRETS, now=NOW)

    assert tokens.is_signed_with(forged[EXPIRED], SECRETS["token_key"])
    assert tokens.claims_of(forged[EXPIRED]) == {"sub": "admin", "iat": NOW - 7200, "exp": NOW - 3600}
    known = forged["signed with the key 'changeme'"]
    assert tokens.is_signed_with(known, "changeme")
    assert tokens.claims_of(known) == {"sub": "admin", "iat": NOW, "exp": NOW + 3600}


def test_nobody_can_make_an_expired_token_with_a_key_that_is_not_known() -> None:
    forged = forge(_token("admin", "k" * 40), _token("user", "k" * 40), SECRETS, now=NOW)

    assert EXPIRED not in forged


def test_opaque_tokens_are_tampered_with_too() -> None:
    forged = forge("3f9a81c2", "77b0d1e4", SECRETS, now=NOW)

    assert EXPIRED not in forged
    assert not {"3f9a81c2", "77b0d1e4"} & set(forged.values())
