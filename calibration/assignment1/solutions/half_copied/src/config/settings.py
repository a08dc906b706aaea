import os

from dotenv import load_dotenv

load_dotenv(".env")


def get_api_key() -> str:
    return os.environ.get("OPENAI_API_KEY") or "no-key"


def get_app_name() -> str:
    return os.environ.get("APP_NAME", "LLM API")


def is_debug() -> bool:
    return os.environ.get("DEBUG", "false").lower() == "true"
