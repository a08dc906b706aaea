// Writes a line of JSON for each test that `node --test` has run; a suite is none.
export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite" && type === "test:pass") continue;
    const left = data.skip !== undefined || data.todo !== undefined;
    const outcome = left ? "skipped" : type === "test:pass" ? "passed" : "failed";
    yield `${JSON.stringify({ file: data.file ?? "", name: data.name, outcome })}\n`;
  }
}
