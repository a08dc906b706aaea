"""The description of the API at /openapi.json."""

from typing import Any

from . import __version__

SECURED: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    summary: str,
    *,
    body: str | None = None,
    secured: bool = True,
    parameters: list[dict[str, Any]] | None = None,
    success: str = "200",
) -> dict[str, Any]:
    responses = {success: {"description": "Answered."}}
    errors = {"400": "A wrong request.", "401": "No valid token or key.", "403": "No permission.",
              "429": "Beyond a limit or a budget.", "503": "Not available at the moment."}
    for status, words in errors.items() if secured else ():
        responses[status] = {
            "description": words, "content": _content({"$ref": "#/components/schemas/Error"})
        }
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {
            "required": True, "content": _content({"$ref": f"#/components/schemas/{body}"})
        }
    if parameters:
        operation["parameters"] = parameters
    if secured:
        operation["security"] = SECURED
    return operation


def _parameter(name: str, place: str, text: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "description": text, "required": required, "schema": {"type": "string"}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": True}


TEXT = {"type": "string"}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Inference gateway",
        "version": __version__,
        "description": "OpenAI's API in front of several models, with users, limits and usage.",
    },
    "paths": {
        "/v1/chat/completions": {
            "post": _operation(
                "A chat completion, whole or as a stream of events.",
                body="Chat",
                parameters=[
                    _parameter("X-Task", "header", "A task, for routing rules."),
                    _parameter("X-Latency-Budget", "header", "Seconds, for routing rules."),
                ],
            )
        },
        "/v1/embeddings": {"post": _operation("Vectors of texts.", body="Embeddings")},
        "/v1/models": {"get": _operation("The models of the backend.")},
        "/v1/api-keys": {
            "get": _operation("The caller's keys, without the keys themselves."),
            "post": _operation("A new key; it is shown once.", body="NewKey", success="201"),
        },
        "/v1/api-keys/{id}": {
            "delete": _operation(
                "Revoke a key.", parameters=[_parameter("id", "path", "The key's id.", True)], success="204"
            )
        },
        "/v1/usage": {
            "get": _operation(
                "Usage by day, model and user.",
                parameters=[
                    _parameter("user", "query", "Another user, or * for all; needs admin."),
                    _parameter("since", "query", "The first day, such as 2026-01-01."),
                    _parameter("until", "query", "The last day."),
                ],
            )
        },
        "/auth/login": {"post": _operation("A token for an hour.", body="Login", secured=False)},
        "/health": {"get": _operation("Liveness.", secured=False)},
        "/health/detailed": {"get": _operation("Readiness.", secured=False)},
        "/metrics": {"get": _operation("Metrics for Prometheus.", secured=False)},
    },
    "components": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token or an API key."},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
        "schemas": {
            "Chat": _object(
                ["model", "messages"],
                model=TEXT,
                messages={"type": "array", "items": {"type": "object"}},
                stream={"type": "boolean"},
            ),
            "Embeddings": _object(
                ["model", "input"], model=TEXT, input={"oneOf": [TEXT, {"type": "array", "items": TEXT}]}
            ),
            "NewKey": _object(["name"], name=TEXT),
            "Login": _object(["username", "password"], username=TEXT, password=TEXT),
            "Error": _object(
                ["error"],
                error=_object(
                    ["message", "type", "code", "param"],
                    message=TEXT,
                    type=TEXT,
                    code={"type": ["string", "null"]},
                    param={"type": ["string", "null"]},
                ),
            ),
        },
    },
}
