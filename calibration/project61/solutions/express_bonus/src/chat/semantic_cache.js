import { createHash } from "node:crypto";
import { stringifyBody } from "../json.js";

const MOST_BUCKETS = 1000;
const MOST_PER_BUCKET = 100;

/** Answers to questions that a user has asked before, in the same words or in others. */
export class SemanticCache {
  #model;
  #threshold;
  #ttlMs;
  #backend;
  #metrics;
  #log;
  #now;
  #buckets = new Map();

  constructor({ model, threshold, ttlMs, backend, metrics, log, now = Date.now }) {
    this.#model = model;
    this.#threshold = threshold;
    this.#ttlMs = ttlMs;
    this.#backend = backend;
    this.#metrics = metrics;
    this.#log = log;
    this.#now = now;
  }

  /** Return `{answer, keep}` for a request that may be cached, else null. `answer` is null on a miss; see `keep`. */
  async look(username, body, signal) {
    const question = questionOf(body);
    if (question === null) return null;
    const bucket = this.#bucket(bucketOf(username, body));
    const same = bucket.find((entry) => entry.question === question);
    if (same) return this.#hit(same);
    const vector = await this.#embed(question, signal);
    if (!vector) return null;
    const near = bucket.find((entry) => cosine(entry.vector, vector) >= this.#threshold);
    if (near) return this.#hit(near);
    return { answer: null, keep: (answer) => this.#keep(bucket, { question, vector, answer }) };
  }

  #hit({ answer }) {
    this.#metrics.cacheHits.inc();
    return { answer };
  }

  #keep(bucket, entry) {
    bucket.push({ ...entry, expires: this.#now() + this.#ttlMs });
    if (bucket.length > MOST_PER_BUCKET) bucket.shift();
  }

  /** Return the bucket without its expired entries, as the most recently used of all. */
  #bucket(key) {
    const bucket = this.#buckets.get(key) ?? [];
    bucket.splice(0, bucket.length, ...bucket.filter((entry) => entry.expires > this.#now()));
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MOST_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value);
    return bucket;
  }

  async #embed(question, signal) {
    const body = JSON.stringify({ model: this.#model, input: question, encoding_format: "float" });
    try {
      const { json } = await this.#backend.ask("POST", "/v1/embeddings", { body, signal });
      return json.data[0].embedding;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#log.warn({ err: error }, "no vector for the semantic cache");
      return null;
    }
  }
}

/** Return the text of the last message, if the request is one whose answer may be given again, else null. */
function questionOf(body) {
  const temperature = body.temperature ?? null;
  const last = body.messages.at(-1);
  if (body.stream || body.tools || body.functions) return null;
  if (temperature !== null && Number(temperature) !== 0) return null;
  return last?.role === "user" && typeof last.content === "string" ? last.content : null;
}

/** Return a name for all that must be equal: the user, the model and the request except its question. */
function bucketOf(username, body) {
  const { messages, ...rest } = body;
  const others = Object.fromEntries(Object.entries(rest).sort(([one], [other]) => (one < other ? -1 : 1)));
  const before = [...messages.slice(0, -1), { ...messages.at(-1), content: null }];
  return createHash("sha256").update(stringifyBody([username, others, before])).digest("hex");
}

function cosine(one, other) {
  let dot = 0;
  let lengthOne = 0;
  let lengthOther = 0;
  for (let index = 0; index < one.length; index += 1) {
    dot += one[index] * other[index];
    lengthOne += one[index] ** 2;
    lengthOther += other[index] ** 2;
  }
  return dot / Math.sqrt(lengthOne * lengthOther);
}
