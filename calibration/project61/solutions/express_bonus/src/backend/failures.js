import { ApiError } from "../errors.js";

const PASSED_ON = new Set([400, 404, 409, 413, 415, 422, 429]);
const TRANSIENT = new Set([429, 500, 502, 503, 504]);

/** A failed call of the backend: what the caller is told, and whether another attempt may help. */
export class BackendFailure extends ApiError {
  constructor(status, message, { transient = false, outage = false, ...rest } = {}) {
    super(status, message, rest);
    this.transient = transient;
    this.outage = outage;
  }
}

/** Return the failure for an answer of the backend that is not a success. */
export function fromStatus(status, text, retryAfter) {
  const told = errorIn(text);
  const transient = TRANSIENT.has(status);
  const outage = status >= 500;
  const headers = retryAfter ? { "Retry-After": retryAfter } : {};
  if (PASSED_ON.has(status)) {
    return new BackendFailure(status, told.message ?? `The backend answered ${status}.`, {
      transient,
      outage,
      headers,
      code: told.code ?? null,
      param: told.param ?? null,
      ...(told.type ? { type: told.type } : {}),
    });
  }
  if (status === 503 || status === 504) {
    return new BackendFailure(status, "The backend is not available.", { transient, outage, headers });
  }
  // 401 and 403 are about the gateway's own credentials: its callers cannot mend them.
  return new BackendFailure(502, `The backend answered ${status}.`, { transient, outage, code: "backend_error" });
}

export function fromNetworkError(error) {
  if (["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"].includes(error.code)) {
    return new BackendFailure(504, "The backend did not answer in time.", { outage: true, code: "backend_timeout" });
  }
  return new BackendFailure(502, "The connection to the backend broke.", {
    transient: true,
    outage: true,
    code: "backend_unreachable",
  });
}

export function malformed() {
  return new BackendFailure(502, "The backend's answer could not be read.", { code: "backend_malformed" });
}

function errorIn(text) {
  try {
    const { error } = JSON.parse(text);
    const textOf = (value) => (typeof value === "string" ? value : undefined);
    return {
      message: textOf(error?.message) ?? textOf(error),
      type: textOf(error?.type),
      code: textOf(error?.code) ?? (Number.isFinite(error?.code) ? String(error.code) : undefined),
      param: textOf(error?.param),
    };
  } catch {
    return {};
  }
}
