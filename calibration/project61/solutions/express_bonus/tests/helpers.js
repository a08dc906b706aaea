import { once } from "node:events";
import { createApp } from "../src/app.js";
import { Tokens } from "../src/auth/tokens.js";
import { Users } from "../src/auth/users.js";
import { Routing } from "../src/chat/routing.js";
import { Limits } from "../src/limits.js";
import { createLogger } from "../src/log.js";
import { createMetrics } from "../src/metrics.js";
import { Budgets } from "../src/usage/budgets.js";

export const SECRET = "a secret of at least thirty-two characters";
const EVERYTHING = ["chat", "embeddings", "models", "usage"];

export const USERS = [
  { username: "ada", password: "pw-ada", tier: "free", permissions: EVERYTHING },
  { username: "max", password: "pw-max", tier: "free", permissions: ["models"] },
  { username: "root", password: "pw-root", tier: "enterprise", permissions: [...EVERYTHING, "admin"] },
];

/** Return a log that keeps its lines, as objects, in `lines`. */
export function memoryLog() {
  const lines = [];
  const log = createLogger({ destination: { write: (text) => lines.push(JSON.parse(text)) } });
  return { log, lines };
}

/** Return the bytes of a stream of server-sent events, in parts. */
export async function* streamOf(...parts) {
  for (const part of parts) yield Buffer.from(part);
}

/** Serve the application with fakes in the place of everything that it does not own, until the test ends. */
export async function serve(t, { backend = {}, keys = {}, store = {}, limits = {}, rules = [], cache = null } = {}) {
  const { log, lines } = memoryLog();
  const metrics = createMetrics();
  const recorded = [];
  const tokens = new Tokens(SECRET);
  const app = createApp({
    log,
    metrics,
    tokens,
    cache,
    users: new Users(USERS),
    keys: { ownerOf: async () => null, ...keys },
    backend,
    store,
    budgets: new Budgets({ budgets: {}, store }),
    limits: new Limits({
      limits: { free: { points: 100, seconds: 60 }, enterprise: { points: 100, seconds: 60 }, ...limits },
      redis: null,
      metrics,
      log,
    }),
    routing: new Routing({ rules, variants: {} }),
    meter: { record: (record) => recorded.push(record) },
    checks: {},
    drain: { started: false },
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close(() => {}) && server.closeAllConnections());
  const url = `http://127.0.0.1:${server.address().port}`;

  /** Send a request as a user (or without a token if there is none), and return `{status, headers, text, json}`. */
  async function send(method, path, { as, body, headers = {} } = {}) {
    const authorization = as ? { authorization: `Bearer ${await tokens.issue(as)}` } : {};
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...headers },
      body: body && (typeof body === "string" ? body : JSON.stringify(body)),
    });
    const text = await response.text();
    let json = null;
    try {
      json = JSON.parse(text);
    } catch {
      // A stream, or the metrics.
    }
    return { status: response.status, headers: response.headers, text, json };
  }

  return { send, recorded, lines, metrics };
}
