"""Reads errors in the form that OpenAI's API has for them."""

from typing import Any, Final

from lab.reading import as_json, excerpt

FIELDS: Final = ("message", "type", "code", "param")
FORM: Final = f"an object 'error' with {', '.join(FIELDS)}, and a message and a type that are texts"


def misfit(body: str) -> str:
    """Say where the body of an error differs from OpenAI's form; an empty string if it does not."""
    content: Any = as_json(body)
    error = content.get("error") if isinstance(content, dict) else None
    missing = [field for field in FIELDS if not isinstance(error, dict) or field not in error]
    if missing or not isinstance(error, dict):
        return f"no {missing[0]} in {excerpt(body, 100) or 'an empty body'}"
    if any(not isinstance(error[field], str) or not error[field] for field in ("message", "type")):
        return excerpt(body, 100)
    return ""
