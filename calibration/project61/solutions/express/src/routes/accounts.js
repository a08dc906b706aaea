import { Router } from "express";
import { requires } from "../auth/callers.js";
import { issueToken, lifetimeSeconds } from "../auth/tokens.js";
import { jsonObject, textIn } from "../body.js";
import { passwordFits } from "../config.js";
import { ApiError } from "../errors.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function accountRoutes(services) {
  const { config, keys, ledger } = services;
  const router = Router();

  router.post("/auth/login", jsonObject, (req, res) => {
    const { username, password } = req.body;
    const user = typeof username === "string" ? config.users.get(username) : undefined;
    if (typeof password !== "string" || !passwordFits(user, password)) {
      throw new ApiError(401, "The name or the password is wrong", { code: "invalid_credentials" });
    }
    res.json({ access_token: issueToken(user, config.jwtSecret), token_type: "bearer", expires_in: lifetimeSeconds });
  });

  router.post("/v1/api-keys", requires(services, null, { byToken: true }), jsonObject, async (req, res) => {
    const name = textIn(req.body, "name", { most: 100, optional: true });
    res.status(201).json(await keys.create(req.user.name, name));
  });

  router.get("/v1/api-keys", requires(services, null), async (req, res) => {
    res.json({ object: "list", data: await keys.list(req.user.name) });
  });

  router.delete("/v1/api-keys/:id", requires(services, null), async (req, res) => {
    if (!UUID.test(req.params.id)) throw new ApiError(404, "There is no such key", { code: "key_not_found" });
    await keys.revoke(req.user.name, req.params.id);
    res.status(204).end();
  });

  router.get("/v1/usage", requires(services, "usage"), async (req, res) => {
    const asked = typeof req.query.user === "string" ? req.query.user : req.user.name;
    if (asked !== req.user.name && !req.user.permissions.has("admin")) {
      throw new ApiError(403, "Only an administrator may see another user's usage", { code: "permission_denied" });
    }
    if (!config.users.has(asked)) throw new ApiError(404, "There is no such user", { code: "user_not_found" });
    try {
      res.json(await ledger.of(asked));
    } catch {
      throw new ApiError(503, "Usage is not available at the moment", { code: "database_unavailable" });
    }
  });

  return router;
}
