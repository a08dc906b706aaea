from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    openai_api_key: SecretStr = Field(min_length=1)
    app_name: str = "My LLM Service"
    debug: bool = False
    default_model: str = "gpt-4o-mini"
    rate_limit_requests: int = 100
    rate_limit_window: int = 60
    max_tokens_per_request: int = 4096
    daily_cost_limit: float = 10.0


settings = Settings()
