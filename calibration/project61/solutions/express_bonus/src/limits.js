import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { ApiError } from "./errors.js";

/** After Redis did not answer, requests are counted in memory for this long before it is asked again. */
const PAUSE_MS = 1000;

/** Counts requests per user in Redis for all instances, or in memory while Redis does not answer. */
export class Limits {
  #tiers;
  #metrics;
  #log;
  #redisPausedUntil = 0;

  constructor({ limits, redis, metrics, log }) {
    this.#metrics = metrics;
    this.#log = log;
    this.#tiers = new Map(
      Object.entries(limits).map(([tier, { points, seconds }]) => {
        const options = { keyPrefix: `limit:${tier}`, points, duration: seconds };
        const shared = redis && new RateLimiterRedis({ ...options, storeClient: redis, rejectIfRedisNotReady: true });
        return [tier, { points, shared, local: new RateLimiterMemory(options) }];
      }),
    );
  }

  /** Count a request of this user and return the X-RateLimit headers, or throw an ApiError with status 429. */
  async count({ username, tier }) {
    const limit = this.#tiers.get(tier);
    const result = await this.#consume(limit, username);
    const seconds = Math.max(1, Math.ceil(result.msBeforeNext / 1000));
    const headers = {
      "X-RateLimit-Limit": limit.points,
      "X-RateLimit-Remaining": Math.max(0, result.remainingPoints),
      "X-RateLimit-Reset": seconds,
    };
    if (result.consumedPoints <= limit.points) return headers;
    this.#metrics.rateLimited.inc({ tier });
    throw new ApiError(429, `You may send ${limit.points} requests. Come back in ${seconds} s.`, {
      code: "rate_limit_exceeded",
      headers: { ...headers, "X-RateLimit-Remaining": 0, "Retry-After": seconds },
    });
  }

  async #consume({ shared, local }, username) {
    if (!shared) return consume(local, username);
    if (Date.now() >= this.#redisPausedUntil) {
      try {
        return await consume(shared, username);
      } catch (error) {
        this.#redisPausedUntil = Date.now() + PAUSE_MS;
        this.#log.warn({ err: error }, "redis does not answer: limits are counted in memory, per instance");
      }
    }
    this.#metrics.localLimits.inc();
    return consume(local, username);
  }
}

async function consume(limiter, username) {
  try {
    return await limiter.consume(username);
  } catch (rejection) {
    if (rejection instanceof RateLimiterRes) return rejection;
    throw rejection;
  }
}

/** Return a middleware that counts the request against the limit of its user's tier. */
export function limit(limits) {
  return async (req, res, next) => {
    res.set(await limits.count(req.user));
    next();
  };
}
