import { ApiError } from "../errors.js";
import { isObject } from "../json.js";

const LONGEST_NAME = 256;
const MOST_MESSAGES = 2048;
const MOST_INPUTS = 2048;

/** Check what the gateway itself reads of a chat request; the backend judges all the rest. */
export function checkChat(body) {
  checkModel(body);
  const { messages, stream, stream_options: options } = body;
  if (!Array.isArray(messages) || messages.length === 0) throw wrong("messages", "must be a list of messages");
  if (messages.length > MOST_MESSAGES) throw wrong("messages", `may have at most ${MOST_MESSAGES} entries`);
  if (!messages.every(isObject)) throw wrong("messages", "must be a list of objects");
  if (![undefined, null, true, false].includes(stream)) throw wrong("stream", "must be true or false");
  if ((options ?? null) !== null && !isObject(options)) throw wrong("stream_options", "must be an object");
}

export function checkEmbeddings(body) {
  checkModel(body);
  const { input } = body;
  if (typeof input !== "string" && !Array.isArray(input)) throw wrong("input", "must be a text or a list");
  if (input.length === 0) throw wrong("input", "must not be empty");
  if (Array.isArray(input) && input.length > MOST_INPUTS) {
    throw wrong("input", `may have at most ${MOST_INPUTS} entries`);
  }
}

function checkModel({ model }) {
  if (typeof model !== "string" || model === "") throw wrong("model", "must be the name of a model");
  if (model.length > LONGEST_NAME) throw wrong("model", `may have at most ${LONGEST_NAME} characters`);
}

function wrong(param, message) {
  return new ApiError(400, `${param} ${message}.`, { param, code: "invalid_value" });
}
