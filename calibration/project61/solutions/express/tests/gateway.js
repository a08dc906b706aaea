import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createApp } from "../src/app.js";
import { readConfig } from "../src/config.js";
import { createServices } from "../src/services.js";

const USERS = [
  { username: "ada", password: "of ada", tier: "free", permissions: ["chat", "embeddings", "models", "usage"] },
  { username: "root", password: "of root", tier: "enterprise", permissions: ["chat", "models", "usage", "admin"] },
  { username: "mona", password: "of mona", tier: "free", permissions: ["models"] },
];

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

/** Stands in for PostgreSQL: it knows the queries of the service by their first words. */
class FakeDatabase {
  rows = new Map();
  keys = new Map();
  down = false;

  async query(text, values = []) {
    if (this.down) throw new Error("the database is down");
    if (text.includes("INSERT INTO usage_rows")) {
      values[0].forEach((id, i) => this.rows.set(id, { user: values[1][i], prompt: values[3][i], completion: values[4][i] }));
      return { rows: [] };
    }
    if (text.includes("FROM usage_rows")) {
      const own = [...this.rows.values()].filter((row) => row.user === values[0]);
      const sum = (name) => own.reduce((total, row) => total + row[name], 0);
      return { rows: [{ requests: own.length, prompt_tokens: sum("prompt"), completion_tokens: sum("completion"), cost: 0 }] };
    }
    if (text.startsWith("INSERT INTO api_keys")) {
      this.keys.set(values[3], { id: values[0], owner: values[1], name: values[2] });
      return { rows: [{ created_at: new Date() }] };
    }
    if (text.startsWith("UPDATE api_keys")) {
      const found = [...this.keys].find(([, key]) => key.id === values[0] && key.owner === values[1]);
      if (found) this.keys.delete(found[0]);
      return { rows: found ? [{ hash: found[0] }] : [] };
    }
    if (text.startsWith("SELECT owner")) return { rows: [this.keys.get(values[0])].filter(Boolean) };
    return { rows: [...this.keys.values()].filter((key) => key.owner === values[0]) };
  }
}

/** Start a gateway before a backend of the test's own, whose answers `respond(req, res, body)` gives; all ends with the test. */
export async function start(t, respond = answer, variables = {}) {
  const asked = [];
  const backend = createServer(async (req, res) => {
    const chunks = await req.toArray();
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : null;
    if (req.url === "/v1/models") {
      res.end(JSON.stringify({ object: "list", data: [{ id: "small", object: "model" }] }));
      return;
    }
    asked.push(body);
    respond(req, res, body, asked.length);
  });
  const config = readConfig({
    LITELLM_URL: await listening(backend),
    JWT_SECRET_KEY: "s".repeat(64),
    BOOTSTRAP_USERS: JSON.stringify(USERS),
    RATE_LIMITS: '{"free": "5/minute", "enterprise": "1000/minute"}',
    RETRY_PAUSE_MS: "1",
    JOURNAL_FOLDER: mkdtempSync(path.join(tmpdir(), "journal-")),
    ...variables,
  });
  const database = new FakeDatabase();
  const services = createServices({ config, database, redis: null });
  const server = createServer(createApp(services));
  const url = await listening(server);
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    backend.closeAllConnections();
    backend.close();
    await services.ledger.close(100);
    await services.backend.close();
  });
  const gateway = { url, asked, database, services };
  gateway.post = (where, body, token, headers = {}) =>
    fetch(url + where, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    });
  gateway.get = (where, token, headers = {}) => fetch(url + where, { headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers } });
  gateway.login = async (name) => (await (await gateway.post("/auth/login", { username: name, password: `of ${name}` })).json()).access_token;
  return gateway;
}

export const chat = (more = {}) => ({ model: "small", messages: [{ role: "user", content: "Hello" }], ...more });

export function answer(_req, res) {
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  res.end(JSON.stringify({ object: "chat.completion", choices: [{ message: { role: "assistant", content: "Hi" } }], usage }));
}

/** Answer with a stream of words, and with the usage in a last chunk. */
export function streamWords(...words) {
  return (_req, res) => {
    const chunk = (more) => `data: ${JSON.stringify({ object: "chat.completion.chunk", ...more })}\n\n`;
    for (const content of words) res.write(chunk({ choices: [{ delta: { content } }] }));
    res.write(chunk({ choices: [], usage: { prompt_tokens: 5, completion_tokens: words.length } }));
    res.end("data: [DONE]\n\n");
  };
}
