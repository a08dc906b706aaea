import { ApiError } from "../errors.js";
import { ApiKeys } from "./keys.js";

/** Return a middleware that sets `req.user` to the user of the request's token or key, or answers 401. */
export function authenticate({ users, tokens, keys }) {
  return async (req, res, next) => {
    const credential = credentialOf(req);
    if (!credential) throw unauthorized("Send a token or an API key in the header Authorization.");
    const isKey = ApiKeys.looksLikeKey(credential);
    const username = isKey ? await keys.ownerOf(credential) : await tokens.verify(credential);
    req.user = username === null ? null : users.find(username);
    if (!req.user) throw unauthorized("The token or API key is not valid.");
    next();
  };
}

/** Return a middleware that answers 403 to users without the permission. */
export function permit(permission) {
  return (req, res, next) => {
    if (!req.user.permissions.has(permission)) {
      throw new ApiError(403, `You need the permission "${permission}".`, { code: "insufficient_permissions" });
    }
    next();
  };
}

function credentialOf(req) {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(req.get("Authorization") ?? "") ?? [];
  return bearer ?? req.get("X-API-Key");
}

function unauthorized(message) {
  return new ApiError(401, message, { code: "invalid_api_key", headers: { "WWW-Authenticate": "Bearer" } });
}
