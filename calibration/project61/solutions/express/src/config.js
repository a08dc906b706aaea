import { timingSafeEqual, createHash } from "node:crypto";

const PERMISSIONS = new Set(["chat", "embeddings", "models", "usage", "admin"]);

/** Read the settings from environment variables. Throws an Error that names the variable which is missing or wrong. */
export function readConfig(env = process.env) {
  const backendUrl = env.LITELLM_URL || env.BACKEND_URL;
  if (!backendUrl) throw new Error("LITELLM_URL (or BACKEND_URL) is not set");
  if ((env.JWT_SECRET_KEY ?? "").length < 32) throw new Error("JWT_SECRET_KEY needs 32 characters or more");
  return {
    port: Number(env.PORT || 8000),
    host: env.HOST || "0.0.0.0",
    backendUrl: backendUrl.replace(/\/+$/, ""),
    backendKey: env.LITELLM_API_KEY || "",
    redisUrl: env.REDIS_URL || "",
    databaseUrl: env.DATABASE_URL || "",
    jwtSecret: env.JWT_SECRET_KEY,
    users: readUsers(env.BOOTSTRAP_USERS),
    rateLimits: readLimits(env.RATE_LIMITS || '{"free": "10/minute", "premium": "60/minute", "enterprise": "600/minute"}'),
    prices: parse("PRICES", env.PRICES || '{"default": {"prompt": 0.5, "completion": 1.5}}'),
    journalFolder: env.JOURNAL_FOLDER || "data",
    retry: { attempts: 3, pauseMs: Number(env.RETRY_PAUSE_MS || 150) },
    breaker: { failures: 5, coolDownMs: Number(env.BREAKER_COOL_DOWN_MS || 10_000) },
    timeouts: { answerMs: 25_000, silenceMs: 20_000 },
  };
}

function readUsers(text) {
  const users = parse("BOOTSTRAP_USERS", text);
  if (!Array.isArray(users) || !users.length) throw new Error("BOOTSTRAP_USERS has to be a JSON list of users");
  const found = new Map();
  for (const { username, password, tier, permissions } of users) {
    if (!username || !password || !Array.isArray(permissions)) {
      throw new Error("BOOTSTRAP_USERS: each user needs username, password, tier and permissions");
    }
    const unknown = permissions.find((one) => !PERMISSIONS.has(one));
    if (unknown) throw new Error(`BOOTSTRAP_USERS: ${unknown} is no permission`);
    found.set(username, { name: username, passwordDigest: digest(password), tier, permissions: new Set(permissions) });
  }
  return found;
}

function readLimits(text) {
  const limits = {};
  for (const [tier, rate] of Object.entries(parse("RATE_LIMITS", text))) {
    const [, requests, unit] = /^(\d+)\/(second|minute|hour)$/.exec(rate) ?? [];
    if (!requests) throw new Error(`RATE_LIMITS: ${rate} is not like "10/minute"`);
    limits[tier] = { requests: Number(requests), seconds: { second: 1, minute: 60, hour: 3600 }[unit] };
  }
  return limits;
}

function parse(name, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name} is not valid JSON`);
  }
}

/** Whether a password is the user's; takes as long for a user who does not exist. */
export function passwordFits(user, password) {
  const fits = timingSafeEqual(user?.passwordDigest ?? digest(""), digest(password));
  return Boolean(user) && fits;
}

function digest(text) {
  return createHash("sha256").update(text).digest();
}
