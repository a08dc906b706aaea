import { SignJWT, jwtVerify } from "jose";

const ISSUER = "inference-gateway";
export const TOKEN_SECONDS = 3600;

/** Issues and verifies access tokens: HS256 with JWT_SECRET_KEY, and nothing else. */
export class Tokens {
  #key;

  constructor(secret) {
    this.#key = new TextEncoder().encode(secret);
  }

  async issue(username) {
    return new SignJWT({})
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(username)
      .setIssuer(ISSUER)
      .setIssuedAt()
      .setExpirationTime(`${TOKEN_SECONDS}s`)
      .sign(this.#key);
  }

  /** Return the name of the token's user, or null if the token is not valid. */
  async verify(token) {
    try {
      const options = { algorithms: ["HS256"], issuer: ISSUER, requiredClaims: ["exp", "sub"] };
      const { payload } = await jwtVerify(token, this.#key, options);
      return payload.sub;
    } catch {
      return null;
    }
  }
}
