import { Redis } from "ioredis";
import { ApiError } from "./errors.js";
import { log } from "./log.js";

const COUNT = `
local count = redis.call("INCR", KEYS[1])
if count == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return {count, redis.call("PTTL", KEYS[1])}`;
const COMMAND_MS = 300;
const REST_MS = 2_000;

/** Connect to Redis for limits; what it does not answer in time fails at once, and is tried again in the background. */
export function connectRedis(url) {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    commandTimeout: COMMAND_MS,
    retryStrategy: (times) => Math.min(100 * times, 1_000),
  });
  redis.on("error", () => {});
  redis.defineCommand("countRequest", { numberOfKeys: 1, lua: COUNT });
  // A server that accepts connections and never answers leaves one in the middle of its greeting.
  const watch = setInterval(() => {
    if (redis.status === "connect") redis.disconnect(true);
  }, REST_MS);
  watch.unref();
  return redis;
}

/** Limits by tier, in a window from a user's first request on: in Redis for all instances, else in this process. */
export class Limiter {
  #limits;
  #redis;
  #metrics;
  #windows = new Map();
  #restUntil = 0;
  #told = false;

  constructor({ limits, redis, metrics }) {
    this.#limits = limits;
    this.#redis = redis;
    this.#metrics = metrics;
  }

  /** Count a request of a user's. Returns the headers that tell of the limit; throws an ApiError beyond it. */
  async count(user) {
    const limit = this.#limits[user.tier];
    if (!limit) return {};
    const [count, leftMs] = (await this.#shared(user, limit)) ?? this.#local(user, limit);
    const reset = Math.max(1, Math.ceil(leftMs / 1000));
    const headers = {
      "x-ratelimit-limit": String(limit.requests),
      "x-ratelimit-remaining": String(Math.max(0, limit.requests - count)),
      "x-ratelimit-reset": String(reset),
    };
    if (count > limit.requests) {
      this.#metrics.limited.inc({ tier: user.tier });
      throw new ApiError(429, `The limit of the tier ${user.tier} is reached`, {
        code: "rate_limit_exceeded",
        headers: { ...headers, "retry-after": String(reset) },
      });
    }
    return headers;
  }

  async #shared(user, limit) {
    if (!this.#redis) return null;
    if (Date.now() < this.#restUntil) return this.#fallBack();
    try {
      const answer = await this.#redis.countRequest(`limit:${user.name}`, limit.seconds * 1000);
      if (this.#told) log.info("redis is back: limits are shared again");
      this.#told = false;
      return answer;
    } catch (error) {
      this.#restUntil = Date.now() + REST_MS;
      if (error.message === "Command timed out") this.#redis.disconnect(true);
      if (!this.#told) log.warn("redis does not answer: limits are kept in this process", { reason: error.message });
      this.#told = true;
      return this.#fallBack();
    }
  }

  #fallBack() {
    this.#metrics.limitFallbacks.inc();
    return null;
  }

  #local(user, limit) {
    const now = Date.now();
    let window = this.#windows.get(user.name);
    if (!window || window.ends <= now) {
      window = { count: 0, ends: now + limit.seconds * 1000 };
      this.#windows.set(user.name, window);
    }
    window.count += 1;
    return [window.count, window.ends - now];
  }
}
