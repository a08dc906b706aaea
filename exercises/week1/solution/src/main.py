"""The entry point: `uvicorn src.main:app --no-proxy-headers`."""

from src.app import create_app
from src.config.settings import get_settings

app = create_app(get_settings())
