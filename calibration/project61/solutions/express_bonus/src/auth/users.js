import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** The users of BOOTSTRAP_USERS. Passwords are kept as digests with a key that dies with the process. */
export class Users {
  #key = randomBytes(32);
  #users = new Map();

  constructor(users) {
    for (const { username, password, tier, permissions } of users) {
      const digest = this.#digest(password);
      this.#users.set(username, { user: { username, tier, permissions: new Set(permissions) }, digest });
    }
  }

  find(username) {
    return this.#users.get(username)?.user ?? null;
  }

  /** Return the user with this name and password, or null. */
  authenticate(username, password) {
    const known = this.#users.get(username);
    const right = timingSafeEqual(this.#digest(password), known?.digest ?? this.#digest(""));
    return known && right ? known.user : null;
  }

  #digest(password) {
    return createHmac("sha256", this.#key).update(password).digest();
  }
}
