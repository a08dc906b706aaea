/** An error that a caller sees, in the form of OpenAI's API. */
export class ApiError extends Error {
  constructor(status, message, { type = typeOf(status), code = null, param = null, headers = {} } = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }

  body() {
    return { error: { message: this.message, type: this.type, code: this.code, param: this.param } };
  }
}

function typeOf(status) {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
}

/** Return the ApiError for whatever a handler threw; the framework's own errors carry a status. */
export function toApiError(error) {
  if (error instanceof ApiError) return error;
  if (error?.type === "entity.too.large") return new ApiError(413, "The request's body is too large.");
  if (error?.status >= 400 && error.status < 500) return new ApiError(error.status, "The request could not be read.");
  return new ApiError(500, "Internal error.");
}
