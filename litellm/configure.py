"""Prints LiteLLM's configuration with the scripted provider behind every model whose provider has no key.

`python configure.py config.yaml`; the scripted provider's address, with its `/v1`, comes from PROVIDER_URL.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FROM_ENVIRONMENT = "os.environ/"


def configure(config: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return `config` as it is to be used; raises KeyError where PROVIDER_URL is needed and not set."""
    return {**config, "model_list": [_model(entry, environment) for entry in config["model_list"]]}


def _model(entry: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    if environment.get(entry["litellm_params"]["api_key"].removeprefix(FROM_ENVIRONMENT)):
        return entry
    scripted = {
        "model": f"openai/{entry['model_name']}",
        "api_base": environment["PROVIDER_URL"],
        "api_key": "none",
    }
    return {**entry, "litellm_params": scripted}


def main() -> int:
    """Exits 1 where there is nothing to answer for a model."""
    config = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        sys.stdout.write(yaml.safe_dump(configure(config, os.environ), sort_keys=False))
    except KeyError as error:
        sys.stderr.write(f"Set {error.args[0]}, or the keys of all providers.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
