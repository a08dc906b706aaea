from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from llm import auth, generate, system
from llm.errors import ApiError, error_response

api = NinjaAPI(title="LLM API", version="1.0.0")
api.add_router("/auth", auth.router)
api.add_router("", generate.router)
api.add_router("", system.router)


@api.exception_handler(ApiError)
def on_api_error(request: HttpRequest, exc: ApiError) -> HttpResponse:
    headers = {"Retry-After": exc.retry_after} if exc.retry_after else None
    return error_response(exc.status, exc.message, cause=exc.cause, headers=headers)


@api.exception_handler(AuthenticationError)
def on_authentication_error(request: HttpRequest, exc: AuthenticationError) -> HttpResponse:
    return error_response(401, "A valid token is needed", headers={"WWW-Authenticate": "Bearer"})


@api.exception_handler(ValidationError)
def on_validation_error(request: HttpRequest, exc: ValidationError) -> HttpResponse:
    fields = ", ".join(".".join(str(part) for part in error["loc"][2:]) or "body" for error in exc.errors)
    return error_response(422, f"These fields are missing or wrong: {fields}")


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, exc: HttpError) -> HttpResponse:
    return error_response(exc.status_code, str(exc))


@api.exception_handler(Exception)
def on_unexpected(request: HttpRequest, exc: Exception) -> HttpResponse:
    return error_response(500, "Something went wrong", exc_info=exc)
