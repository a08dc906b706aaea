"""What the control API refuses, with the words and the status that Toxiproxy uses."""

from http import HTTPStatus


class ApiError(Exception):
    """A request that is answered with `status` and `message`."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_body(reason: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, f"bad request body: {reason}")


def missing_field(name: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, f"missing required field: {name}")


def invalid_stream() -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "stream was invalid, can be either upstream or downstream")


def invalid_toxic_type() -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "invalid toxic type")


def invalid_attributes(reason: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, f"invalid attributes: {reason}")


def proxy_not_found() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "proxy not found")


def toxic_not_found() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "toxic not found")


def proxy_exists() -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, "proxy already exists")


def toxic_exists() -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, "toxic already exists")


def cannot_listen(reason: str) -> ApiError:
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"listen tcp{reason}")
