import { Router } from "express";
import { requires } from "../auth/callers.js";
import { jsonObject, textIn } from "../body.js";
import { ApiError } from "../errors.js";
import { eventsIn } from "../events.js";
import { log } from "../log.js";

const PATH = "/v1/chat/completions";
const DONE = "[DONE]";

export function chatRoutes(services) {
  const { backend, ledger } = services;
  const router = Router();

  router.post(PATH, requires(services, "chat"), limited(services), jsonObject, async (req, res) => {
    const body = req.body;
    const model = textIn(body, "model");
    checkMessages(body.messages);
    const signal = leaving(res);
    if (body.stream === true) {
      await stream(req, res, model, signal);
      return;
    }
    const answer = await backend.json("POST", PATH, body, signal);
    record(req.user, model, answer.usage);
    res.json(answer);
  });

  async function stream(req, res, model, signal) {
    const wantsUsage = req.body.stream_options?.include_usage === true;
    const body = { ...req.body, stream_options: { ...req.body.stream_options, include_usage: true } };
    const bytes = await backend.stream(PATH, body, signal);
    res.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no" });
    let usage = null;
    let chunks = 0;
    let isDone = false;
    try {
      for await (const data of eventsIn(bytes)) {
        if (data === DONE) {
          isDone = true;
          break;
        }
        const chunk = JSON.parse(data);
        if (chunk.error) throw new Error("the backend sent an error");
        usage = chunk.usage ?? usage;
        if (chunk.choices?.length) chunks += 1;
        else if (!wantsUsage) continue;
        await send(res, data, signal);
      }
      if (!isDone) throw new Error("the backend's stream ended before its end");
    } catch (error) {
      // Leaving early does not make it free: each chunk is a token or more.
      record(req.user, model, usage ?? { prompt_tokens: 0, completion_tokens: chunks });
      if (signal.aborted) return;
      backend.broke();
      log.warn("a stream broke", { reason: error.message });
      const told = new ApiError(502, "The backend broke off its answer", { code: "stream_broken" });
      res.end(`data: ${JSON.stringify(told.body)}\n\n`);
      return;
    }
    record(req.user, model, usage ?? { prompt_tokens: 0, completion_tokens: chunks });
    res.end(`data: ${DONE}\n\n`);
  }

  function record(user, model, usage) {
    ledger.record({
      user,
      model,
      label: backend.label(model),
      promptTokens: count(usage?.prompt_tokens),
      completionTokens: count(usage?.completion_tokens),
    });
  }

  router.post("/v1/embeddings", requires(services, "embeddings"), limited(services), jsonObject, async (req, res) => {
    const model = textIn(req.body, "model");
    const { input } = req.body;
    if (!(typeof input === "string" || (Array.isArray(input) && input.length))) {
      throw new ApiError(400, "input has to be a text or a list", { param: "input" });
    }
    const answer = await backend.json("POST", "/v1/embeddings", req.body, leaving(res));
    record(req.user, model, answer.usage);
    res.json(answer);
  });

  router.get("/v1/models", requires(services, "models"), async (_req, res) => {
    res.json(await backend.json("GET", "/v1/models", null, leaving(res)));
  });

  return router;
}

/** Count the request against the limit of its user's tier. */
function limited({ limiter }) {
  return async (req, res, next) => {
    res.set(await limiter.count(req.user));
    next();
  };
}

function checkMessages(messages) {
  const right = Array.isArray(messages) && messages.length && messages.every((one) => one && typeof one === "object" && typeof one.role === "string");
  if (!right) throw new ApiError(400, "messages has to be a list of messages, each with a role", { param: "messages" });
}

/** Return a signal that aborts when the caller leaves before the answer's end. */
function leaving(res) {
  const controller = new AbortController();
  res.on("close", () => {
    if (!res.writableFinished) controller.abort(new Error("the caller left"));
  });
  return controller.signal;
}

/** Send an event, and wait until a slow caller has taken what came before. */
async function send(res, data, signal) {
  if (!res.write(`data: ${data}\n\n`)) {
    await new Promise((resolve) => {
      res.once("drain", resolve);
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
  signal.throwIfAborted();
}

function count(value) {
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

