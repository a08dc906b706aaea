"""The entry point: `uvicorn api.main:app --app-dir src`."""

import gc

from api.config.env_validator import load_settings
from api.config.logging_config import configure_logging

configure_logging()  # before anything can go wrong
settings = load_settings()
configure_logging(settings.log_level, secrets=settings.secrets)

# Late on purpose: a service that is going to refuse its environment should not take a second to import first.
from api.config.app import create_app  # noqa: E402

app = create_app(settings)
gc.freeze()  # what is made by now stays: to visit it again and again would keep callers waiting for 80 ms
