const LARGEST_EVENT_CHARACTERS = 4 * 1024 * 1024;

/** Yield the data of each server-sent event in a stream of bytes, as soon as the event is complete. */
export async function* eventsIn(bytes) {
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  for await (const part of bytes) {
    rest += decoder.decode(part, { stream: true });
    if (rest.length > LARGEST_EVENT_CHARACTERS) throw new Error("an event is too large");
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line === "" && data.length > 0) {
        yield data.join("\n");
        data = [];
      }
    }
  }
}
