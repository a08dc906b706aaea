"""Settings as a frozen dataclass, read once by environs."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from environs import Env, EnvError
from marshmallow.validate import Length, Range


@dataclass(frozen=True, slots=True)
class Settings:
    """The variables of the contract. Keys are kept out of the repr."""

    openai_api_key: str = field(repr=False)
    openai_base_url: str
    anthropic_api_key: str = field(repr=False)
    anthropic_base_url: str
    app_name: str
    debug: bool
    default_model: str
    rate_limit_requests: int
    rate_limit_window: float
    max_tokens_per_request: int
    daily_cost_limit: float

    @property
    def has_anthropic(self) -> bool:
        return bool(self.anthropic_api_key)


def read_settings() -> Settings:
    """Read the environment, then .env; stop the process with every variable that is wrong."""
    env = Env(eager=False)
    dotenv = Path.cwd() / ".env"
    if dotenv.is_file():
        env.read_env(str(dotenv), recurse=False)
    positive = Range(min=0, min_inclusive=False, error="Must be greater than 0.")
    settings = Settings(
        openai_api_key=env.str("OPENAI_API_KEY", validate=Length(min=1, error="Must not be empty.")),
        openai_base_url=env.str("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        anthropic_api_key=env.str("ANTHROPIC_API_KEY", ""),
        anthropic_base_url=env.str("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        app_name=env.str("APP_NAME", "chat-gateway"),
        debug=env.bool("DEBUG", False),
        default_model=env.str("DEFAULT_MODEL", "gpt-4o-mini"),
        rate_limit_requests=env.int("RATE_LIMIT_REQUESTS", 100, validate=positive),
        rate_limit_window=env.float("RATE_LIMIT_WINDOW", 60.0, validate=positive),
        max_tokens_per_request=env.int("MAX_TOKENS_PER_REQUEST", 4096, validate=positive),
        daily_cost_limit=env.float("DAILY_COST_LIMIT", 10.0, validate=Range(min=0, error="Must not be negative.")),
    )
    try:
        env.seal()
    except EnvError as error:
        reasons = getattr(error, "error_messages", {})
        lines = [f"  {name}: {' '.join(map(str, why)) if isinstance(why, list) else why}" for name, why in reasons.items()]
        raise SystemExit("Bad configuration:\n" + "\n".join(lines)) from None
    return settings


@cache
def get_settings() -> Settings:
    return read_settings()
