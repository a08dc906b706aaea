import { checkEmbeddings } from "../chat/validate.js";
import { parseBody, stringifyBody } from "../json.js";
import { whileConnected } from "./hang_up.js";

/** POST /v1/embeddings */
export function embeddings({ backend, meter }) {
  return async (req, res) => {
    const body = parseBody(req.body);
    checkEmbeddings(body);
    const signal = whileConnected(res);
    const answer = await backend.ask("POST", "/v1/embeddings", { body: stringifyBody(body), signal });
    const { username } = req.user;
    meter.record({ username, model: body.model, usage: answer.json.usage, headers: answer.headers });
    res.type("json").send(answer.bytes);
  };
}
