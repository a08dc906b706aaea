import { setTimeout as sleep } from "node:timers/promises";

const PAUSES_MS = [300, 900];
const LONGEST_PAUSE_MS = 5000;

/** Call `attempt` until it succeeds, its error is not transient, or the pauses are used up. */
export async function withRetries(attempt, { signal, pausesMs = PAUSES_MS, random = Math.random } = {}) {
  for (const pauseMs of pausesMs) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.transient) throw error;
      const askedMs = Number(error.headers?.["Retry-After"]) * 1000;
      if (askedMs > LONGEST_PAUSE_MS) throw error;
      const jittered = pauseMs * (1 + random() / 3);
      await sleep(Math.max(jittered, askedMs || 0), undefined, { signal });
    }
  }
  return attempt();
}
