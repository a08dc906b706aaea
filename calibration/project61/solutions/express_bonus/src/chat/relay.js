import { once } from "node:events";
import { eventsIn } from "../backend/events.js";
import { fromNetworkError, malformed } from "../backend/failures.js";

const DONE = "[DONE]";

/**
 * Pass a stream of the backend on, event by event.
 *
 * `onUsage` gets the last usage that the backend reported, before the caller sees the end of the stream. The chunk
 * that has nothing but the usage is passed on only if `wantsUsage`.
 */
export async function relay(bytes, res, { wantsUsage, onUsage, signal, log }) {
  res.status(200).set({
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
  });
  res.flushHeaders();
  let usage = null;
  let problem = null;
  let done = false;
  try {
    for await (const data of eventsIn(bytes)) {
      done = data.trim() === DONE;
      if (done) break;
      const chunk = JSON.parse(data);
      usage = chunk?.usage ?? usage;
      if (chunk?.error) {
        problem = errorOf(chunk.error);
        break;
      }
      if (wantsUsage || !isUsageOnly(chunk)) await send(res, data, signal);
    }
  } catch (error) {
    if (signal.aborted) log.info("the caller left a stream");
    else problem = (error instanceof SyntaxError ? malformed() : fromNetworkError(error)).body().error;
  }
  if (usage) onUsage(usage);
  if (signal.aborted) return;
  if (done) await send(res, DONE, signal);
  else {
    log.warn({ problem }, "the backend broke off a stream");
    await send(res, JSON.stringify({ error: problem ?? BROKEN_OFF }), signal);
  }
  res.end();
}

const BROKEN_OFF = {
  message: "The backend broke off its answer.",
  type: "api_error",
  code: "backend_unreachable",
  param: null,
};

function isUsageOnly(chunk) {
  return Array.isArray(chunk?.choices) && chunk.choices.length === 0 && Boolean(chunk.usage);
}

function errorOf(error) {
  const message = typeof error?.message === "string" ? error.message : String(error);
  const type = typeof error?.type === "string" ? error.type : "api_error";
  return { message, type, code: error?.code ?? null, param: error?.param ?? null };
}

async function send(res, data, signal) {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  if (!res.write(`${lines.join("")}\n`)) await once(res, "drain", { signal });
}
