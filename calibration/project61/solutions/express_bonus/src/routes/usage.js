import { ApiError } from "../errors.js";

const EVERYBODY = "*";

/** GET /v1/usage */
export function usage({ store, users }) {
  return async (req, res) => {
    const username = whoseUsage(req, users);
    const report = await store.report({
      username: username === EVERYBODY ? null : username,
      since: dayIn(req.query, "since"),
      until: dayIn(req.query, "until"),
    });
    res.json({ object: "usage", user: username, ...report });
  };
}

function whoseUsage(req, users) {
  const { user: asked = req.user.username } = req.query;
  if (asked === req.user.username) return asked;
  if (!req.user.permissions.has("admin")) throw new ApiError(403, "Only an admin may read the usage of others.");
  if (asked !== EVERYBODY && (typeof asked !== "string" || !users.find(asked))) {
    throw new ApiError(404, "There is no such user.", { param: "user", code: "not_found" });
  }
  return asked;
}

function dayIn(query, name) {
  const day = query[name];
  if (day === undefined) return null;
  const isDay = typeof day === "string" && /^\d{4}-\d{2}-\d{2}$/.test(day);
  if (!isDay || new Date(`${day}T00:00:00Z`).toJSON()?.slice(0, 10) !== day) {
    throw new ApiError(400, `${name} must be a day such as 2026-01-31.`, { param: name });
  }
  return day;
}
