import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBody, stringifyBody } from "../src/json.js";

test("numbers pass as they were written", () => {
  const text = '{"seed":9007199254740993,"temperature":0.10}';
  assert.equal(stringifyBody(parseBody(Buffer.from(text))), text);
});

test("a body that is nested too deeply is refused", () => {
  const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  assert.throws(() => parseBody(Buffer.from(deep)), { status: 400 });
});

test("brackets in texts do not count as depth", () => {
  const body = parseBody(Buffer.from(JSON.stringify({ text: `\\"${"[".repeat(500)}` })));
  assert.equal(body.text.length, 502);
});

for (const text of ["", "nonsense", "[1]", "7", '"text"', "null"]) {
  test(`the body ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseBody(Buffer.from(text)), { status: 400 });
  });
}
