import { Agent, request } from "undici";
import { ApiError } from "./errors.js";
import { log } from "./log.js";

const RETRIED = new Set([429, 500, 502, 503, 504]);
const TIMEOUTS = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const LONGEST_WAIT_MS = 2_000;
const MOST_BYTES = 32 * 2 ** 20;
const MODELS_MS = 30_000;

/** The OpenAI-compatible backend: calls with retries, a deadline, and a breaker before all of them. */
export class Backend {
  #config;
  #breaker;
  #metrics;
  #agent;
  #models = new Set();
  #listing = null;

  constructor({ config, breaker, metrics }) {
    this.#config = config;
    this.#breaker = breaker;
    this.#metrics = metrics;
    this.#agent = new Agent({
      connect: { timeout: 5_000 },
      connections: 256,
      headersTimeout: config.timeouts.answerMs,
      bodyTimeout: config.timeouts.silenceMs,
    });
    this.#listing = setInterval(() => this.#learnModels(), MODELS_MS);
    this.#listing.unref();
    this.#learnModels();
  }

  /** Return a model's name as a label: whatever the backend does not list is `other`. */
  label(model) {
    return this.#models.has(model) ? model : "other";
  }

  /** Return the JSON that the backend answers. */
  json(method, path, body, signal) {
    return this.#guarded(signal, async () => {
      const answer = await this.#send(method, path, body, signal);
      try {
        return JSON.parse(await readText(answer.body));
      } catch (error) {
        throw error instanceof SyntaxError ? new BackendError("it answered no JSON", { isFinal: true }) : error;
      }
    });
  }

  /** Return the bytes of a stream, of which the first have arrived. */
  stream(path, body, signal) {
    return this.#guarded(signal, async () => {
      const answer = await this.#send("POST", path, body, signal);
      const chunks = answer.body[Symbol.asyncIterator]();
      const first = await chunks.next();
      if (first.done) throw new BackendError("its stream is empty");
      return (async function* () {
        yield first.value;
        yield* { [Symbol.asyncIterator]: () => chunks };
      })();
    });
  }

  /** A stream broke after it had begun, which counts as a failure of the backend. */
  broke() {
    this.#breaker.failed();
  }

  close() {
    clearInterval(this.#listing);
    return this.#agent.destroy();
  }

  async #guarded(signal, call) {
    for (let attempt = 1; ; attempt += 1) {
      this.#breaker.enter();
      try {
        const answer = await call();
        this.#breaker.succeeded();
        return answer;
      } catch (error) {
        if (signal?.aborted) {
          this.#breaker.abandoned();
          throw error;
        }
        if (error instanceof ApiError) {
          this.#breaker.succeeded();
          throw error;
        }
        const last = attempt >= this.#config.retry.attempts || error.isFinal || TIMEOUTS.has(error.code);
        log.warn("a call of the backend failed", { reason: error.message, attempt });
        if (last) {
          if (error.status === 429) this.#breaker.abandoned();
          else this.#breaker.failed();
          throw asTold(error);
        }
        this.#breaker.abandoned();
        this.#metrics.retries.inc();
        await pause(this.#pauseMs(attempt, error), signal);
      }
    }
  }

  #pauseMs(attempt, error) {
    const grown = this.#config.retry.pauseMs * 2 ** (attempt - 1) * (0.8 + 0.4 * Math.random());
    return Math.max(grown, Math.min(error.retryAfterMs ?? 0, LONGEST_WAIT_MS));
  }

  async #send(method, path, body, signal) {
    const headers = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (this.#config.backendKey) headers.authorization = `Bearer ${this.#config.backendKey}`;
    const answer = await request(`${this.#config.backendUrl}${path}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal,
      dispatcher: this.#agent,
    });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    const text = await readText(answer.body).catch(() => "");
    if (RETRIED.has(answer.statusCode) || answer.statusCode > 500) {
      const seconds = Number(answer.headers["retry-after"]);
      const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : 0;
      throw new BackendError(`it answered ${answer.statusCode}`, { status: answer.statusCode, retryAfterMs });
    }
    throw refusal(answer.statusCode, text);
  }

  async #learnModels() {
    try {
      const answer = await this.#send("GET", "/v1/models", null, AbortSignal.timeout(5_000));
      const { data } = JSON.parse(await readText(answer.body));
      this.#models = new Set(data.map((one) => one.id));
    } catch (error) {
      log.warn("the models of the backend are not known", { reason: error.message });
      if (!this.#models.size) setTimeout(() => this.#learnModels(), 1_000).unref();
    }
  }
}

/** A failure that may pass: `isFinal` says that it is not worth another attempt. */
class BackendError extends Error {
  constructor(message, { status = null, retryAfterMs = 0, isFinal = false } = {}) {
    super(message);
    Object.assign(this, { status, retryAfterMs, isFinal });
  }
}

function asTold(error) {
  if (error.status === 429) {
    const seconds = Math.max(1, Math.ceil(error.retryAfterMs / 1000));
    return new ApiError(429, "The backend has too much to do", { code: "backend_busy", headers: { "retry-after": String(seconds) } });
  }
  if (TIMEOUTS.has(error.code)) {
    return new ApiError(504, "The backend did not answer in time", { code: "backend_timeout" });
  }
  return new ApiError(502, "The backend failed", { code: "backend_error" });
}

/** Return what a caller is told of a request that the backend refuses. */
function refusal(status, text) {
  if (status === 401 || status === 403) return new ApiError(502, "The backend refused the gateway", { code: "backend_refused" });
  const told = status === 404 || status === 413 ? status : 400;
  let error = {};
  try {
    error = JSON.parse(text)?.error ?? {};
  } catch {
    // what is no JSON tells nothing
  }
  const name = (value) => (typeof value === "string" && /^[\w.[\]-]{1,100}$/.test(value) ? value : null);
  const message = told === 404 ? "The backend does not know this model" : "The backend refused the request";
  return new ApiError(told, message, { code: name(error.code) ?? (told === 404 ? "model_not_found" : null), param: name(error.param) });
}

async function readText(body) {
  const chunks = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error("it answered too much");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
