"""Templates for pages that need nothing else, and whose texts may come from anybody.

Every text passes `chaos.plain_text.plain` and is escaped, both here alone.
"""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chaos.plain_text import plain


def make_environment(package: str) -> Environment:
    """Return the environment of the templates in the folder `templates` of a package."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=_clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_asset(package: str, name: str) -> str:
    """Return a file from the folder `templates` of a package."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def policy_digest(text: str) -> str:
    """Return what a Content-Security-Policy calls an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _clean(value: Any) -> Any:
    return value if isinstance(value, Markup) or not isinstance(value, str) else plain(value)
