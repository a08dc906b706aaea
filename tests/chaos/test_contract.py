import random
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from chaos.contract import Contract, ContractError, field
from tests.exam import CONTRACT

START = {"main": "src/main.py", "service": "app", "dockerfiles": ["Dockerfile"], "example": "python main.py"}
ADDRESSES = {name: ("127.0.0.1", 7000 + place) for place, name in enumerate(CONTRACT.upstreams)}


def contract(**tables: Any) -> Contract:
    return Contract.model_validate({"start": START, "endpoints": {"alive": "/"}, **tables})


def test_the_exams_variables_are_those_of_its_page() -> None:
    secrets = CONTRACT.draw(random.Random(1))

    given = CONTRACT.environment(CONTRACT.given(secrets), ADDRESSES, origin="https://chat.example.org")

    assert set(given) == set(CONTRACT.names)
    assert given["JWT_SECRET_KEY"] == secrets["token_key"]
    assert given["LITELLM_URL"] == "http://127.0.0.1:7000"
    assert given["CORS_ORIGINS"] == '["https://chat.example.org"]'
    assert given["ENVIRONMENT"] == "production"
    assert set(CONTRACT.required) <= set(CONTRACT.names)


def test_several_origins_are_a_json_list_of_which_the_first_is_the_usual_one() -> None:
    templates = {"ALLOWED": "$origins", "ORIGIN": "$origin"}

    given = contract(origin={"variables": templates}).environment(
        {}, {}, origin="https://a.example", more_origins=["http://b.example:8080"]
    )

    assert given == {
        "ALLOWED": '["https://a.example", "http://b.example:8080"]',
        "ORIGIN": "https://a.example",
    }


def test_secrets_differ_and_are_the_same_for_the_same_seed() -> None:
    one, again, other = (CONTRACT.draw(random.Random(seed)) for seed in (1, 1, 2))

    assert one == again
    assert {len(secret) for secret in one.values()} == {48, 64}
    assert len({*one.values(), *other.values()}) == 2 * len(one)


def test_a_fixed_secret_is_what_it_is_and_can_be_given_as_its_hash() -> None:
    fixed = contract(secrets={"password": {"value": "admin123", "variables": {"HASH": "$bcrypt"}}})
    secrets = fixed.draw(random.Random(1))

    assert secrets == {"password": "admin123"}
    assert bcrypt.checkpw(b"admin123", fixed.given(secrets)["HASH"].encode())


def test_bodies_are_filled_at_any_depth_and_keep_their_types() -> None:
    asking = contract(
        upstreams={"openai": {"kind": "model", "variables": {"BASE": "$url/v1"}}},
        ask={
            "path": "/chat",
            "models": ["small", "large"],
            "body": {"model": "$model", "n": 1, "messages": [{"role": "user", "content": "$prompt"}]},
        },
    )

    assert asking.ask_body("Why $model?") == {
        "model": "small",
        "n": 1,
        "messages": [{"role": "user", "content": "Why $model?"}],
    }
    assert asking.ask_body("Why?", model="large")["model"] == "large"
    assert asking.model == "openai"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("start = [", "is not valid TOML"),
        ("", "is wrong in start: Field required"),
        ("colour = 'red'", "is wrong in"),
        ("[endpoints]\nready = '/'", "needs an entry `alive`"),
        ("[users.admin]\nname = 'a'\npassword = 'gone'\n[endpoints]\nalive = '/'", "names the secret 'gone'"),
        ("[secrets.key]\nvariables = {KEY = '$url'}\n[endpoints]\nalive = '/'", "it may use $value, $bcrypt"),
        ("[ask]\npath = '/'\nbody = {}\n[endpoints]\nalive = '/'", "[ask] needs an upstream of kind 'model'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    start = '[start]\nmain = "m.py"\nservice = "s"\ndockerfiles = []\nexample = "e"\n'
    file = tmp_path / "contract.toml"
    file.write_text(
        text
        if text in {"", "start = ["}
        else f"{text if '[' not in text else ''}\n{start}{text if '[' in text else ''}"
    )

    with pytest.raises(ContractError) as error:
        Contract.load(file)

    assert sentence in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        Contract.load(tmp_path / "contract.toml")


def test_a_field_is_found_by_its_dotted_path() -> None:
    assert field({"data": {"token": "t"}}, "data.token") == "t"
    assert field({"data": ["token"]}, "data.token") is None
    assert field(None, "token") is None
