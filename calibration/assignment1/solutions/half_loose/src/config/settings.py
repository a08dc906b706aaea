import sys

from pydantic import Field, NonNegativeFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    openai_api_key: SecretStr = Field(min_length=1)
    openai_base_url: str | None = None
    app_name: str = "llm-gateway"
    debug: bool = False
    default_model: str = "gpt-4o-mini"
    rate_limit_requests: PositiveInt = 100
    rate_limit_window: PositiveInt = 60
    max_tokens_per_request: PositiveInt = 4096
    daily_cost_limit: NonNegativeFloat = 10.0


try:
    settings = Settings()
except ValidationError as e:
    for error in e.errors():
        print(str(error["loc"][0]).upper(), error["msg"], file=sys.stderr)
    sys.exit(1)
