"""The proxy's configuration, as the program in its image prints it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.services.prompts import Model

LITELLM = Path(__file__).parents[2] / "litellm"
PROVIDER = "http://provider:8485/v1"
SECONDS = 20


def configured(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "configure.py", "config.yaml"],
        cwd=LITELLM,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def without_keys() -> dict[str, Any]:
    empty = {"GROQ_API_KEY": "", "PROVIDER_URL": PROVIDER}
    found: dict[str, Any] = yaml.safe_load(configured(empty).stdout)
    return found


def test_without_keys_every_model_of_the_contract_is_answered_by_the_scripted_provider(
    without_keys: dict[str, Any],
) -> None:
    models = {one["model_name"]: one["litellm_params"] for one in without_keys["model_list"]}

    assert set(models) == set(Model)
    assert {one["api_base"] for one in models.values()} == {PROVIDER}


def test_a_model_with_a_key_goes_to_its_own_provider_and_the_key_stays_in_the_environment() -> None:
    ended = configured({"OPENAI_API_KEY": "sk-canary", "PROVIDER_URL": PROVIDER})
    models = {one["model_name"]: one["litellm_params"] for one in yaml.safe_load(ended.stdout)["model_list"]}

    assert models["gpt-4o-secondary"] == {"model": "openai/gpt-4o", "api_key": "os.environ/OPENAI_API_KEY"}
    assert models["gemini-third"]["api_base"] == PROVIDER
    assert "canary" not in ended.stdout


def test_a_request_is_one_call_to_the_provider(without_keys: dict[str, Any]) -> None:
    assert without_keys["litellm_settings"]["num_retries"] == 0
    assert without_keys["router_settings"] == {"num_retries": 0, "disable_cooldowns": True}


def test_no_provider_at_all_is_told_by_the_variables_name() -> None:
    ended = configured({})

    assert ended.returncode == 1
    assert "PROVIDER_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
