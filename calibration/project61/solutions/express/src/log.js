import { AsyncLocalStorage } from "node:async_hooks";

/** What is known of the request that is being answered: `{requestId}`. */
export const context = new AsyncLocalStorage();

function write(level, event, fields) {
  const line = { time: new Date().toISOString(), level, event, request_id: context.getStore()?.requestId, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export const log = {
  info: (event, fields) => write("info", event, fields),
  warn: (event, fields) => write("warning", event, fields),
  error: (event, fields) => write("error", event, fields),
};
