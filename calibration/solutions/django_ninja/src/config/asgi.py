import logging
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django = get_asgi_application()
logging.captureWarnings(True)

from llm.asgi import with_body_limits, with_lifespan, with_request_id  # noqa: E402

application = with_lifespan(with_request_id(with_body_limits(django)))
