/** How long readiness waits for each dependency, in milliseconds. */
const WAIT_MS = 1000;

/** GET /health: the process serves, whatever is down. */
export function alive() {
  return (req, res) => res.json({ status: "alive" });
}

/**
 * GET /health/detailed: 503 if the instance should get no requests, because it is about to end or because chat
 * cannot be answered. Redis and PostgreSQL are reported; without them chat is still answered.
 */
export function readiness({ checks, drain }) {
  return async (req, res) => {
    const entries = await Promise.all(
      Object.entries(checks).map(async ([name, { check, required }]) => {
        const up = await within(WAIT_MS, check);
        return [name, { status: up ? "up" : "down", required }];
      }),
    );
    const dependencies = Object.fromEntries(entries);
    const down = Object.values(dependencies).filter(({ status }) => status === "down");
    const ready = !drain.started && !down.some(({ required }) => required);
    const status = ready ? (down.length > 0 ? "degraded" : "ready") : "unavailable";
    res.status(ready ? 200 : 503).json({ status, draining: drain.started, dependencies });
  };
}

async function within(milliseconds, check) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds, false)));
  try {
    return await Promise.race([check().catch(() => false), late]);
  } finally {
    clearTimeout(timer);
  }
}
