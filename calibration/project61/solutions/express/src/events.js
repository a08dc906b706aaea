import { StringDecoder } from "node:string_decoder";

const MOST_CHARACTERS = 2 ** 20;

/** Yield the data of the server-sent events in a stream of bytes. */
export async function* eventsIn(bytes) {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.write(chunk)).split(/\r?\n\r?\n/);
    rest = parts.pop();
    if (rest.length > MOST_CHARACTERS) throw new Error("an event is too long");
    for (const part of parts) {
      const data = dataOf(part);
      if (data) yield data;
    }
  }
  const data = dataOf(rest);
  if (data) yield data;
}

function dataOf(event) {
  return event
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).replace(/^ /, ""))
    .join("\n");
}
