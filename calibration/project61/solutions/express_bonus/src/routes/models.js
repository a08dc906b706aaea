import { whileConnected } from "./hang_up.js";

/** GET /v1/models */
export function models({ backend }) {
  return async (req, res) => {
    const answer = await backend.ask("GET", "/v1/models", { signal: whileConnected(res) });
    res.type("json").send(answer.bytes);
  };
}
