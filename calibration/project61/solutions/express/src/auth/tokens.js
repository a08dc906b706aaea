import jwt from "jsonwebtoken";

const LIFETIME_SECONDS = 3600;
const ALGORITHM = "HS256";

export function issueToken(user, secret) {
  return jwt.sign({}, secret, { algorithm: ALGORITHM, subject: user.name, expiresIn: LIFETIME_SECONDS });
}

/** Return the name in a token; null unless it is signed with our secret, by our algorithm, and has not expired. */
export function nameInToken(token, secret) {
  try {
    const claims = jwt.verify(token, secret, { algorithms: [ALGORITHM] });
    return typeof claims === "object" && claims.exp && typeof claims.sub === "string" ? claims.sub : null;
  } catch {
    return null;
  }
}

export const lifetimeSeconds = LIFETIME_SECONDS;
