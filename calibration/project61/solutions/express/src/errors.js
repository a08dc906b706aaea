const TYPES = { 400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error" };

/** An error that a caller is told, in OpenAI's form. */
export class ApiError extends Error {
  constructor(status, message, { code = null, param = null, headers = {} } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }

  get body() {
    const type = TYPES[this.status] ?? (this.status < 500 ? "invalid_request_error" : "api_error");
    return { error: { message: this.message, type, code: this.code, param: this.param } };
  }
}

/** Return what a caller is told of any error: nothing of those that nobody has foreseen. */
export function asApiError(error) {
  if (error instanceof ApiError) return error;
  const messages = { "entity.too.large": [413, "The body is too large"], "encoding.unsupported": [415, "Unknown encoding"] };
  if (messages[error?.type]) return new ApiError(...messages[error.type]);
  if (error?.status >= 400 && error.status < 500) return new ApiError(error.status, "The request is not valid");
  return new ApiError(500, "Something went wrong", { code: "internal_error" });
}
