import express from "express";
import { ApiError } from "./errors.js";

const LIMIT = "2mb";
const MOST_DEPTH = 64;

const readText = express.text({ type: () => true, limit: LIMIT, defaultCharset: "utf-8" });

/** Middlewares that read a JSON object of bounded size and depth into `req.body`. */
export const jsonObject = [
  readText,
  (req, _res, next) => {
    const text = typeof req.body === "string" ? req.body : "";
    if (depth(text) > MOST_DEPTH) throw new ApiError(400, `The body is nested more than ${MOST_DEPTH} deep`);
    try {
      req.body = JSON.parse(text);
    } catch {
      throw new ApiError(400, "The body is not valid JSON", { code: "invalid_json" });
    }
    if (typeof req.body !== "object" || req.body === null || Array.isArray(req.body)) {
      throw new ApiError(400, "The body has to be a JSON object");
    }
    next();
  },
];

/** Return how deep lists and objects are nested, without parsing. */
function depth(text) {
  let now = 0;
  let most = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (quoted) {
      if (character === "\\") i += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{" || character === "[") most = Math.max(most, (now += 1));
    else if (character === "}" || character === "]") now -= 1;
  }
  return most;
}

/** Return a text of the body. Throws an ApiError that names the parameter. */
export function textIn(body, name, { most = 200, optional = false } = {}) {
  const value = body[name];
  if (optional && value === undefined) return "";
  if (typeof value !== "string" || (!optional && !value) || value.length > most || /\p{Cc}|\p{Cs}/u.test(value)) {
    throw new ApiError(400, `${name} has to be a text of ${most} printable characters at most`, { param: name });
  }
  return value;
}
