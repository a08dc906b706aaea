"""The entry point: `uvicorn api.main:app --app-dir src`."""

from api.config.app import create_app
from api.config.env_validator import load_settings
from api.config.logging_config import configure_logging

configure_logging()  # before anything can go wrong
settings = load_settings()
configure_logging(settings.log_level, secrets=settings.secrets)

app = create_app(settings)
