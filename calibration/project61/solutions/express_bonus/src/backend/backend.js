import { Agent, request } from "undici";
import { BackendFailure, fromNetworkError, fromStatus, malformed } from "./failures.js";
import { withRetries } from "./retry.js";

const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;
const LARGEST_ERROR_BYTES = 64 * 1024;
const PROBE_MS = 1000;

/** The OpenAI-compatible backend. Its retries and its breaker are the only ones in the service. */
export class Backend {
  #url;
  #headers;
  #timeoutMs;
  #streamIdleMs;
  #dispatcher;
  #breaker;
  #metrics;
  #pausesMs;

  constructor({ url, apiKey, timeoutMs, streamIdleMs, breaker, metrics, dispatcher, pausesMs }) {
    this.#url = url;
    this.#headers = apiKey ? { authorization: `Bearer ${apiKey}` } : {};
    this.#timeoutMs = timeoutMs;
    this.#streamIdleMs = streamIdleMs;
    this.#dispatcher = dispatcher ?? new Agent({ connect: { timeout: 5000 } });
    this.#breaker = breaker;
    this.#metrics = metrics;
    this.#pausesMs = pausesMs;
  }

  /** Return `{bytes, json, headers}` of a whole answer. */
  async ask(method, path, { body, signal } = {}) {
    return this.#call(signal, async () => {
      const answer = await this.#send(method, path, body, signal, this.#timeoutMs);
      const bytes = await readAll(answer.body, LARGEST_ANSWER_BYTES);
      return { bytes, json: parseAnswer(bytes), headers: answer.headers };
    });
  }

  /** Return `{body, headers}` of a stream that has begun; it is never tried again from then on. */
  async open(path, { body, signal } = {}) {
    return this.#call(signal, async () => {
      const answer = await this.#send("POST", path, body, signal, this.#streamIdleMs);
      if (!String(answer.headers["content-type"]).startsWith("text/event-stream")) {
        answer.body.destroy();
        throw malformed();
      }
      return { body: answer.body, headers: answer.headers };
    });
  }

  /** Return the names of the backend's models, without retries and whatever the breaker says. */
  async listModels() {
    const { statusCode, body } = await request(`${this.#url}/v1/models`, {
      headers: this.#headers,
      dispatcher: this.#dispatcher,
      headersTimeout: PROBE_MS,
      bodyTimeout: PROBE_MS,
    });
    const bytes = await readAll(body, LARGEST_ANSWER_BYTES);
    if (statusCode !== 200) throw fromStatus(statusCode, bytes.toString());
    const { data } = parseAnswer(bytes);
    if (!Array.isArray(data)) throw malformed();
    return data.map((model) => model?.id);
  }

  async #call(signal, attempt) {
    const counted = async () => {
      try {
        const result = await attempt();
        this.#metrics.backendAttempts.inc({ outcome: "success" });
        return result;
      } catch (error) {
        if (signal?.aborted) throw error;
        this.#metrics.backendAttempts.inc({ outcome: "failure" });
        throw error instanceof BackendFailure ? error : fromNetworkError(error);
      }
    };
    const retried = () => withRetries(counted, { signal, ...(this.#pausesMs && { pausesMs: this.#pausesMs }) });
    // A caller who hung up says nothing about the backend.
    return this.#breaker.run(retried, (error) => (signal?.aborted ? null : error.outage === true));
  }

  async #send(method, path, body, signal, bodyTimeout) {
    const answer = await request(this.#url + path, {
      method,
      body,
      signal,
      dispatcher: this.#dispatcher,
      headersTimeout: this.#timeoutMs,
      bodyTimeout,
      headers: { ...this.#headers, accept: "*/*", ...(body && { "content-type": "application/json" }) },
    });
    if (answer.statusCode === 200) return answer;
    const text = (await readAll(answer.body, LARGEST_ERROR_BYTES)).toString();
    throw fromStatus(answer.statusCode, text, answer.headers["retry-after"]);
  }
}

async function readAll(body, most) {
  const parts = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > most) throw malformed();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parseAnswer(bytes) {
  try {
    const json = JSON.parse(bytes);
    if (json !== null && typeof json === "object") return json;
  } catch {
    // Told below, like JSON that is not an object.
  }
  throw malformed();
}
