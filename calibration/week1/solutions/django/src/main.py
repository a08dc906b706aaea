"""The application: `uvicorn src.main:app`, written with Django."""

import secrets

from django.conf import settings

from src.config.logging_config import CONFIG

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DEBUG=False,
        LOGGING=CONFIG,
        LOGGING_CONFIG="logging.config.dictConfig",
        MIDDLEWARE=["src.middleware.request_id.request_id"],
        ROOT_URLCONF="src.api.urls",
        SECRET_KEY=secrets.token_hex(),
    )

from django.core.asgi import get_asgi_application  # noqa: E402

app = get_asgi_application()
