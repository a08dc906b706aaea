import { isLosslessNumber, parse, stringify } from "lossless-json";
import { ApiError } from "./errors.js";

const DEEPEST = 100;

/**
 * Return the object in the bytes of a request's body, or throw an ApiError.
 *
 * Numbers stay as they were written: JSON.parse would round a seed of 64 bits.
 */
export function parseBody(bytes) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes ?? new Uint8Array());
  } catch {
    throw new ApiError(400, "The body is not UTF-8.", { code: "invalid_json" });
  }
  if (depthOf(text) > DEEPEST) throw new ApiError(400, "The body is nested too deeply.", { code: "invalid_json" });
  let body;
  try {
    body = parse(text);
  } catch {
    throw new ApiError(400, "The body is not JSON.", { code: "invalid_json" });
  }
  if (!isObject(body)) throw new ApiError(400, "The body is not a JSON object.", { code: "invalid_json" });
  return body;
}

export function stringifyBody(body) {
  return stringify(body);
}

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !isLosslessNumber(value);
}

function depthOf(text) {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, (depth += 1));
    else if (character === "}" || character === "]") depth -= 1;
  }
  return deepest;
}
