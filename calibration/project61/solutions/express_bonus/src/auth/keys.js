import { createHash, randomBytes, randomUUID } from "node:crypto";

const PREFIX = "gw_";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** API keys in PostgreSQL. Keys are long and random, so a plain SHA-256 is enough to store them. */
export class ApiKeys {
  #database;

  constructor(database) {
    this.#database = database;
  }

  static looksLikeKey(credential) {
    return credential.startsWith(PREFIX);
  }

  async create(username, name) {
    const key = PREFIX + randomBytes(32).toString("base64url");
    const id = randomUUID();
    await this.#database.query("INSERT INTO api_keys (id, username, name, hash) VALUES ($1, $2, $3, $4)", [
      id,
      username,
      name,
      hashOf(key),
    ]);
    return { id, name, key };
  }

  async list(username) {
    const { rows } = await this.#database.query(
      "SELECT id, name, created_at FROM api_keys WHERE username = $1 AND revoked_at IS NULL ORDER BY created_at",
      [username],
    );
    return rows;
  }

  /** Revoke a key of this user; return whether there was one. */
  async revoke(username, id) {
    if (!UUID.test(id)) return false;
    const { rowCount } = await this.#database.query(
      "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND username = $2 AND revoked_at IS NULL",
      [id, username],
    );
    return rowCount === 1;
  }

  /** Return the name of the key's owner, or null. Nothing is cached, so a revoked key ends at once everywhere. */
  async ownerOf(key) {
    const { rows } = await this.#database.query(
      "SELECT username FROM api_keys WHERE hash = $1 AND revoked_at IS NULL",
      [hashOf(key)],
    );
    return rows[0]?.username ?? null;
  }
}

function hashOf(key) {
  return createHash("sha256").update(key).digest("hex");
}
