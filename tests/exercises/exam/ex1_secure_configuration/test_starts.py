import random
from urllib.parse import urlsplit

import pytest

from exercises.exam.ex1_secure_configuration import starts
from tests.exam import CONTRACT

SECRETS = CONTRACT.draw(random.Random(1))


@pytest.mark.parametrize("seed", range(20))
def test_longer_keys_are_long_enough_and_hold_a_well_known_word(seed: int) -> None:
    for make in starts.LONGER_KEYS.values.values():
        key = make(random.Random(seed).choice)

        assert len(key) >= starts.MINIMUM_LENGTH
        assert any(word in key.lower() for word in starts.WELL_KNOWN_WORDS)


@pytest.mark.parametrize("seed", range(20))
def test_some_longer_keys_have_no_well_known_word_in_small_letters(seed: int) -> None:
    repeated = starts.LONGER_KEYS.values["a word in capitals, repeated"](random.Random(seed).choice)

    assert not any(word in repeated for word in starts.WELL_KNOWN_WORDS)


def test_a_port_is_no_host() -> None:
    assert not any(urlsplit(url).hostname for url in starts.MALFORMED.values["a port alone"])


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_malformed_address_meets_both_and_no_sample_is_a_url(seed: int) -> None:
    rows = starts.rows(CONTRACT, SECRETS, random.Random(seed).choice)

    for variable in ("LITELLM_URL", "QDRANT_URL"):
        values = [row[variable].value or "" for row in rows if variable in row]
        assert len(set(values)) == len(starts.MALFORMED.values)
        assert "" in values
        for value in values:
            parts = urlsplit(value)
            assert parts.scheme not in {"http", "https"} or not parts.hostname
    assert [list(row) for row in rows if len(row) == 1] == [["LITELLM_URL"], ["QDRANT_URL"]]
    named = {variable for row in rows for variable in row}
    assert named == {*starts.addresses(CONTRACT), "AUTH_ADMIN_PASSWORD", "AUTH_USER_PASSWORD", "CORS_ORIGINS"}


@pytest.mark.parametrize("seed", range(5))
def test_a_password_in_an_address_is_given_and_not_shown(seed: int) -> None:
    rows = starts.rows(CONTRACT, SECRETS, random.Random(seed).choice)

    given = "".join(bad.value or "" for row in rows for bad in row.values())
    assert SECRETS["user_password"] in given
    assert SECRETS["user_password"] not in "".join(map(starts.group, rows))


def test_a_contract_with_fixed_passwords_does_not_have_them_missed() -> None:
    fixed = {
        name: one.model_copy(update={"value": "admin123"}) if "password" in name else one
        for name, one in CONTRACT.secrets.items()
    }

    assert starts.passwords(CONTRACT) == ("AUTH_ADMIN_PASSWORD", "AUTH_USER_PASSWORD")
    assert starts.passwords(CONTRACT.model_copy(update={"secrets": fixed})) == ()
