import random

from chaos.history import Upstream
from chaos.keys import Keys, find_key
from lab import contract


def test_prompts_hold_their_key_and_differ_in_their_words() -> None:
    keys = Keys(1, "prompts")
    prompts = {key: contract.prompt(key) for key in (next(keys) for _ in range(50))}

    assert all(find_key(text) == key for key, text in prompts.items())
    assert len({text.replace(key, "") for key, text in prompts.items()}) > 45
    assert contract.prompt("ref-1") == contract.prompt("ref-1")


def test_secrets_are_long_and_differ() -> None:
    secrets = contract.Secrets.generate(random.Random(1))

    values = {secrets.jwt_key, secrets.admin_password, secrets.user_password}
    assert len(values) == 3
    assert min(map(len, values)) >= 32


def test_the_environment_is_that_of_the_contract() -> None:
    urls: dict[Upstream, str] = {"litellm": "http://l", "qdrant": "http://q", "mlflow": "http://m"}

    environment = contract.environment(contract.Secrets("k", "a", "u"), urls)

    assert set(environment) == {
        "JWT_SECRET_KEY", "CORS_ORIGINS", "LITELLM_URL", "QDRANT_URL", "MLFLOW_TRACKING_URI",
        "AUTH_ADMIN_PASSWORD", "AUTH_USER_PASSWORD", "ENVIRONMENT",
    }  # fmt: skip
