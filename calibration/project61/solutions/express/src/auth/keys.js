import { createHash, randomBytes, randomUUID } from "node:crypto";
import { ApiError } from "../errors.js";

const PREFIX = "sk-";
const FRESH_MS = 2_000;
const STALE_MS = 300_000;
const MOST_CACHED = 10_000;

export const looksLikeKey = (text) => text.startsWith(PREFIX);

/** API keys in PostgreSQL, by their hashes: what is looked up is believed for two seconds, or for five minutes without it. */
export class KeyStore {
  #database;
  #cache = new Map();

  constructor(database) {
    this.#database = database;
  }

  async create(owner, name) {
    const key = PREFIX + randomBytes(32).toString("base64url");
    const id = randomUUID();
    const text = "INSERT INTO api_keys (id, owner, name, hash) VALUES ($1, $2, $3, $4) RETURNING created_at";
    const { rows } = await this.#query(text, [id, owner, name, hash(key)]);
    return { id, name, key, created_at: rows[0].created_at };
  }

  async list(owner) {
    const text = "SELECT id, name, created_at FROM api_keys WHERE owner = $1 AND revoked_at IS NULL ORDER BY created_at";
    return (await this.#query(text, [owner])).rows;
  }

  async revoke(owner, id) {
    const text = "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND owner = $2 AND revoked_at IS NULL RETURNING hash";
    const { rows } = await this.#query(text, [id, owner]);
    if (!rows.length) throw new ApiError(404, "There is no such key", { code: "key_not_found" });
    this.#cache.delete(rows[0].hash);
  }

  /** Return the name of a key's owner; null if there is no such key. */
  async ownerOf(key) {
    const digest = hash(key);
    const known = this.#cache.get(digest);
    if (known && Date.now() - known.at < FRESH_MS) return known.owner;
    try {
      const text = "SELECT owner FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
      const { rows } = await this.#query(text, [digest]);
      const owner = rows[0]?.owner ?? null;
      this.#remember(digest, owner);
      return owner;
    } catch (error) {
      if (known && Date.now() - known.at < STALE_MS) return known.owner;
      throw error;
    }
  }

  #remember(digest, owner) {
    this.#cache.delete(digest);
    if (!owner) return;
    if (this.#cache.size >= MOST_CACHED) this.#cache.delete(this.#cache.keys().next().value);
    this.#cache.set(digest, { owner, at: Date.now() });
  }

  async #query(text, values) {
    try {
      return await this.#database.query(text, values);
    } catch (error) {
      throw new ApiError(503, "API keys are not available at the moment", { code: "database_unavailable", cause: error });
    }
  }
}

function hash(key) {
  return createHash("sha256").update(key).digest("hex");
}
