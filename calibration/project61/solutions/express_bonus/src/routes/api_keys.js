import { ApiError } from "../errors.js";
import { parseBody } from "../json.js";

const LONGEST_NAME = 100;

/** POST /v1/api-keys */
export function createKey({ keys }) {
  return async (req, res) => {
    const { name } = parseBody(req.body);
    if (typeof name !== "string" || name.length === 0 || name.length > LONGEST_NAME || !isPlain(name)) {
      throw new ApiError(400, `name must be a text of 1 to ${LONGEST_NAME} characters.`, { param: "name" });
    }
    res.status(201).json(await keys.create(req.user.username, name));
  };
}

/** GET /v1/api-keys */
export function listKeys({ keys }) {
  return async (req, res) => {
    res.json({ object: "list", data: await keys.list(req.user.username) });
  };
}

/** DELETE /v1/api-keys/{id} */
export function revokeKey({ keys }) {
  return async (req, res) => {
    if (!(await keys.revoke(req.user.username, req.params.id))) {
      throw new ApiError(404, "You have no API key with this id.", { param: "id", code: "not_found" });
    }
    res.status(204).end();
  };
}

/** PostgreSQL stores neither NUL nor half a character. */
function isPlain(text) {
  return text.isWellFormed() && !text.includes("\0");
}
