import { stringifyBody, parseBody } from "../json.js";
import { checkChat } from "../chat/validate.js";
import { relay } from "../chat/relay.js";
import { whileConnected } from "./hang_up.js";

const PATH = "/v1/chat/completions";

/** POST /v1/chat/completions */
export function chat({ backend, routing, budgets, cache, meter, metrics, log }) {
  return async (req, res) => {
    const body = parseBody(req.body);
    checkChat(body);
    await budgets.check(req.user);
    const choice = routing.choose({
      user: req.user,
      model: body.model,
      task: req.get("X-Task"),
      latencyBudget: secondsIn(req.get("X-Latency-Budget")),
    });
    if (choice.variantOf) metrics.variants.inc({ model: choice.variantOf, variant: choice.model });
    const signal = whileConnected(res);
    const call = { req, res, signal, choice };
    if (body.stream) await stream(call, body);
    else await whole(call, { ...body, model: choice.model });
  };

  async function whole({ req, res, signal, choice }, body) {
    const cached = (await cache?.look(req.user.username, body, signal)) ?? null;
    if (cached?.answer) {
      res.type("json").set("X-Cache", "hit").send(cached.answer);
      return;
    }
    const { answer, model } = await withFallback(choice, (name) =>
      backend.ask("POST", PATH, { body: stringifyBody({ ...body, model: name }), signal }),
    );
    meter.record({ username: req.user.username, model, usage: answer.json.usage, headers: answer.headers });
    if (model === choice.model) cached?.keep(answer.bytes);
    if (cached) res.set("X-Cache", "miss");
    res.type("json").send(answer.bytes);
  }

  async function stream({ req, res, signal, choice }, body) {
    const options = body.stream_options ?? {};
    const asked = { ...body, stream_options: { ...options, include_usage: true } };
    const { answer, model } = await withFallback(choice, (name) =>
      backend.open(PATH, { body: stringifyBody({ ...asked, model: name }), signal }),
    );
    await relay(answer.body, res, {
      wantsUsage: options.include_usage === true,
      onUsage: (usage) => meter.record({ username: req.user.username, model, usage, headers: answer.headers }),
      signal,
      log,
    });
  }
}

/** Call the backend for the chosen model, and for the fallback if the backend limits its rate. */
async function withFallback({ model, fallback }, call) {
  try {
    return { answer: await call(model), model };
  } catch (error) {
    if (error.status !== 429 || fallback === null) throw error;
    return { answer: await call(fallback), model: fallback };
  }
}

function secondsIn(header) {
  return header ? Number(header) : Number.NaN;
}
