import { ApiError } from "../errors.js";
import { looksLikeKey } from "./keys.js";
import { nameInToken } from "./tokens.js";

const CHALLENGE = { "www-authenticate": "Bearer" };

/** Return a middleware that finds out who asks, by token or key, and demands a permission of them. */
export function requires({ config, keys }, permission, { byToken = false } = {}) {
  return async (req, res, next) => {
    const { name, how } = await identify(req, config, keys);
    const user = config.users.get(name);
    if (!user) throw new ApiError(401, "A valid token or API key is needed", { code: "invalid_credentials", headers: CHALLENGE });
    if (byToken && how !== "token") throw new ApiError(403, "A token is needed here, not an API key");
    if (permission && !user.permissions.has(permission)) {
      throw new ApiError(403, `The permission ${permission} is needed`, { code: "permission_denied" });
    }
    req.user = user;
    next();
  };
}

async function identify(req, config, keys) {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(req.get("authorization") ?? "") ?? [];
  const credential = bearer ?? req.get("x-api-key");
  if (!credential || credential.length > 4096) return {};
  if (looksLikeKey(credential)) return { name: await keys.ownerOf(credential), how: "key" };
  return { name: nameInToken(credential, config.jwtSecret), how: "token" };
}
