from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    environment: str = "development"

    jwt_secret_key: str = "change-me-in-production"
    jwt_expire_minutes: int = 60
    auth_admin_password: str = "admin"
    auth_user_password: str = "user"
    cors_origins: list[str] = ["http://localhost:3000"]

    litellm_url: str = "http://localhost:4000"
    litellm_api_key: str = "none"
    qdrant_url: str = "http://localhost:6333"
    mlflow_tracking_uri: str = "http://localhost:5000"
    mlflow_experiment_id: str = "0"

    cache_collection: str = "llm_cache"


settings = Settings()
