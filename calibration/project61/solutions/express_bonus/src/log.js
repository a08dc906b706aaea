import { AsyncLocalStorage } from "node:async_hooks";
import pino from "pino";

/** Holds `{requestId}` while a request is handled, so that every log line about it has its id. */
export const requestContext = new AsyncLocalStorage();

export function createLogger({ level = "info", destination } = {}) {
  return pino(
    {
      level,
      base: { service: "inference-gateway" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin() {
        const requestId = requestContext.getStore()?.requestId;
        return requestId ? { request_id: requestId } : {};
      },
      // Errors of pg and undici can hold connection strings and headers: only these fields are written.
      serializers: { err: ({ name, message, code, stack }) => ({ name, message, code, stack }) },
    },
    destination,
  );
}
