import secrets
from pathlib import Path

import environ

from config import checks

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

JWT_SECRET_KEY = checks.secret_key(env, "JWT_SECRET_KEY")
AUTH_ADMIN_PASSWORD = checks.password(env, "AUTH_ADMIN_PASSWORD")
AUTH_USER_PASSWORD = checks.password(env, "AUTH_USER_PASSWORD")
LITELLM_URL = checks.address(env, "LITELLM_URL", "http://localhost:4000")
QDRANT_URL = checks.address(env, "QDRANT_URL", "http://localhost:6333")
MLFLOW_TRACKING_URI = checks.address(env, "MLFLOW_TRACKING_URI", "http://localhost:5000")

# Sessions and CSRF are not used; Django wants a key all the same.
SECRET_KEY = secrets.token_urlsafe(50)
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
INSTALLED_APPS = ["corsheaders", "ninja", "llm"]
MIDDLEWARE = [
    "llm.middleware.access_log",
    "corsheaders.middleware.CorsMiddleware",
    "llm.middleware.error_shape",
]

CORS_ALLOWED_ORIGINS = checks.origins(env, "CORS_ORIGINS")
CORS_ALLOW_CREDENTIALS = True

TRACE_FILE = BASE_DIR / "traces" / "traces.jsonl"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "llm.request_id.RequestIdFilter"}},
    "formatters": {"json": {"()": "llm.json_log.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # Errors are logged with their incident, where their answers are made.
        "django.request": {"level": "CRITICAL"},
        "uvicorn": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        # Its lines have the whole query. "llm.middleware" writes ours.
        "uvicorn.access": {"handlers": [], "propagate": False},
    },
}
