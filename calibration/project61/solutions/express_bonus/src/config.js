const PERMISSIONS = ["chat", "embeddings", "models", "usage", "admin"];
const TIERS = ["free", "premium", "enterprise"];
const PERIODS = { second: 1, minute: 60, hour: 3600, day: 86400 };
const DEFAULT_LIMITS = '{"free": "10/minute", "premium": "60/minute", "enterprise": "600/minute"}';

export class ConfigError extends Error {}

/** Read the configuration from environment variables, or throw a ConfigError that names each wrong one. */
export function loadConfig(env = process.env) {
  const problems = [];

  function read(name, parse, fallback) {
    const text = env[name] || fallback;
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      // A SyntaxError of JSON.parse quotes the text, which may hold a password.
      problems.push(`${name}: ${error instanceof SyntaxError ? "is not valid JSON" : error.message}`);
      return undefined;
    }
  }

  const backendUrl = env.LITELLM_URL || env.BACKEND_URL;
  if (!backendUrl) problems.push("LITELLM_URL: is not set");
  const jwtSecret = env.JWT_SECRET_KEY ?? "";
  if (jwtSecret.length < 32) problems.push("JWT_SECRET_KEY: needs at least 32 characters");
  if (!env.BOOTSTRAP_USERS) problems.push("BOOTSTRAP_USERS: is not set");

  const config = {
    host: env.HOST || "0.0.0.0",
    port: read("PORT", parsePort, "8000"),
    logLevel: env.LOG_LEVEL || "info",
    backend: {
      url: backendUrl?.replace(/\/+$/, ""),
      apiKey: env.BACKEND_API_KEY || null,
      timeoutMs: read("BACKEND_TIMEOUT_SECONDS", parseSeconds, "60") * 1000,
      streamIdleMs: read("STREAM_IDLE_SECONDS", parseSeconds, "15") * 1000,
    },
    redisUrl: env.REDIS_URL || null,
    databaseUrl: env.DATABASE_URL || null,
    jwtSecret,
    users: read("BOOTSTRAP_USERS", parseUsers),
    limits: read("RATE_LIMITS", parseLimits, DEFAULT_LIMITS),
    spoolDirectory: env.USAGE_SPOOL_DIR || "data/usage",
    drainMs: read("DRAIN_SECONDS", parseSeconds, "25") * 1000,
    prices: read("MODEL_PRICES", parsePrices, "{}"),
    routes: read("MODEL_ROUTES", parseRoutes, "[]"),
    variants: read("MODEL_VARIANTS", parseVariants, "{}"),
    budgets: read("DAILY_BUDGETS", parseBudgets, "{}"),
    semanticCache: read("SEMANTIC_CACHE", parseSemanticCache),
  };
  if (problems.length > 0) throw new ConfigError(problems.join("; "));
  return config;
}

function parsePort(text) {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error("is not a port");
  return port;
}

function parseSeconds(text) {
  const seconds = Number(text);
  if (!(seconds > 0)) throw new Error("is not a positive number of seconds");
  return seconds;
}

function parseUsers(text) {
  const users = JSON.parse(text);
  if (!Array.isArray(users) || users.length === 0) throw new Error("is not a list of users");
  for (const user of users) {
    if (typeof user?.username !== "string" || typeof user.password !== "string" || !user.password) {
      throw new Error("a user has no username or no password");
    }
    if (!TIERS.includes(user.tier)) throw new Error(`the tier of ${user.username} is unknown`);
    if (!Array.isArray(user.permissions) || !user.permissions.every((name) => PERMISSIONS.includes(name))) {
      throw new Error(`${user.username} has an unknown permission`);
    }
  }
  return users;
}

function parseObject(text) {
  const value = JSON.parse(text);
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("is not a JSON object");
  return value;
}

/** Return `{tier: {points, seconds}}` of texts such as "10/minute". */
function parseLimits(text) {
  const limits = { ...parseObject(DEFAULT_LIMITS), ...parseObject(text) };
  return mapValues(limits, (limit, tier) => {
    const [, points, period] = /^(\d+)\/(second|minute|hour|day)$/.exec(limit) ?? [];
    if (!(Number(points) > 0)) throw new Error(`the limit of ${tier} is not like "10/minute"`);
    return { points: Number(points), seconds: PERIODS[period] };
  });
}

function parsePrices(text) {
  return mapValues(parseObject(text), (price, model) => {
    if (!(price?.prompt >= 0 && price?.completion >= 0)) throw new Error(`${model} needs "prompt" and "completion"`);
    return price;
  });
}

function parseRoutes(text) {
  const rules = JSON.parse(text);
  if (!Array.isArray(rules)) throw new Error("is not a list of rules");
  for (const rule of rules) {
    if (typeof rule?.model !== "string") throw new Error("a rule has no model");
  }
  return rules;
}

function parseVariants(text) {
  return mapValues(parseObject(text), (weights, model) => {
    const values = Object.values(weights ?? {});
    if (values.length === 0 || !values.every((weight) => weight >= 0) || !values.some((weight) => weight > 0)) {
      throw new Error(`the weights of ${model} are not positive numbers`);
    }
    return weights;
  });
}

function parseBudgets(text) {
  return mapValues(parseObject(text), (budget, name) => {
    if (!(typeof budget === "number" && budget >= 0)) throw new Error(`the budget of ${name} is not a number`);
    return budget;
  });
}

function parseSemanticCache(text) {
  const { model, threshold, ttl } = parseObject(text);
  if (typeof model !== "string" || !(threshold > 0) || !(ttl > 0)) throw new Error("needs model, threshold and ttl");
  return { model, threshold, ttlMs: ttl * 1000 };
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));
}
