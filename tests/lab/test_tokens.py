import base64
import json

import jwt
import pytest

from lab import tokens

KEY = "0f" * 24
NOW = 1_790_000_000.0


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_library_takes_a_signed_token_for_its_own(algorithm: str) -> None:
    key = "0f" * 40
    token = tokens.signed({"sub": "admin"}, key, algorithm=algorithm)

    assert jwt.decode(token, key, algorithms=[algorithm]) == {"sub": "admin"}


def test_an_unsigned_token_names_its_algorithm_and_has_an_empty_signature() -> None:
    token = tokens.unsigned({"sub": "admin"}, algorithm="NonE")

    assert jwt.get_unverified_header(token)["alg"] == "NonE"
    assert token.endswith(".")
    assert tokens.claims_of(token) == {"sub": "admin"}


def test_reads_the_tokens_of_a_library() -> None:
    token = jwt.encode({"sub": "admin", "exp": 5}, KEY, algorithm="HS256")

    assert tokens.claims_of(token) == {"sub": "admin", "exp": 5}
    assert tokens.algorithm_of(token) == "HS256"
    assert tokens.is_signed_with(token, KEY)
    assert not tokens.is_signed_with(token, KEY + "0")


@pytest.mark.parametrize(
    "token",
    ["", "opaque", "..", "a.b.c", f"e30.{base64.urlsafe_b64encode(b'[]').decode()}.x", "é.é.é", "e30.!!!.x"],
)
def test_what_is_no_token_has_no_claims_and_no_key(token: str) -> None:
    assert tokens.claims_of(token) is None
    assert not tokens.is_signed_with(token, KEY)


def test_an_expired_token_has_all_its_times_moved_back_together() -> None:
    claims = {"sub": "admin", "iat": NOW - 10, "expires_at": NOW + 3590, "level": 3, "ok": True}

    aged = tokens.expired(claims, now=NOW, since=3600)

    assert aged == {"sub": "admin", "iat": NOW - 7200, "expires_at": NOW - 3600, "level": 3, "ok": True}
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(tokens.signed({"exp": aged["expires_at"] - 10**9}, KEY), KEY, algorithms=["HS256"])


@pytest.mark.parametrize("claims", [{"sub": "admin"}, {"sub": "admin", "iat": NOW - 5}])
def test_a_token_that_never_ends_is_given_an_end_that_has_passed(claims: dict[str, object]) -> None:
    assert tokens.expired(claims, now=NOW, since=60)["exp"] == NOW - 60


def test_tampering_keeps_the_old_signature_or_breaks_it() -> None:
    token = tokens.signed({"sub": "user"}, KEY)

    other = tokens.with_claims(token, {"sub": "admin"})
    assert tokens.claims_of(other) == {"sub": "admin"}
    assert other.rpartition(".")[2] == token.rpartition(".")[2]
    for forged in (other, tokens.with_broken_signature(token)):
        assert not tokens.is_signed_with(forged, KEY)
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(forged, KEY, algorithms=["HS256"])


def test_replaces_texts_wherever_they_stand() -> None:
    claims = {"sub": "user", "roles": ["user", "reader"], "who": {"name": "user"}, "user": 1}

    assert tokens.replaced(claims, "user", "admin") == json.loads(
        '{"sub": "admin", "roles": ["admin", "reader"], "who": {"name": "admin"}, "user": 1}'
    )


def test_what_tokens_in_a_text_say_is_legible() -> None:
    token = tokens.signed({"sub": "admin", "password": "x"}, KEY)

    assert tokens.legible_parts(f'{{"access_token": "{token}"}}') == ['{"sub": "admin", "password": "x"}']
    assert tokens.legible_parts("eyJhbGciOiJIUzI1NiJ9.no-claims-here.x " + "eyJ-" * 1000) == []
