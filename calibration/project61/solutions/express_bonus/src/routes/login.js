import { TOKEN_SECONDS } from "../auth/tokens.js";
import { ApiError } from "../errors.js";
import { parseBody } from "../json.js";

/** POST /auth/login */
export function login({ users, tokens, log }) {
  return async (req, res) => {
    const { username, password } = parseBody(req.body);
    if (typeof username !== "string" || typeof password !== "string") {
      throw new ApiError(400, "Send a username and a password, both texts.");
    }
    const user = users.authenticate(username, password);
    if (!user) {
      log.info("a login was refused");
      throw new ApiError(401, "The username or the password is wrong.", { code: "invalid_credentials" });
    }
    const token = await tokens.issue(user.username);
    res.json({ access_token: token, token_type: "bearer", expires_in: TOKEN_SECONDS });
  };
}
