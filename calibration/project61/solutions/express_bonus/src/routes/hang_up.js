/** Return a signal that aborts when the caller hangs up before the answer has ended. */
export function whileConnected(res) {
  const controller = new AbortController();
  if (res.destroyed) controller.abort();
  res.on("close", () => {
    if (!res.writableFinished) controller.abort();
  });
  return controller.signal;
}
