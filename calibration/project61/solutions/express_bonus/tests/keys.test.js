import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiKeys } from "../src/auth/keys.js";

test("a key belongs to whoever made it", async () => {
  const rows = [];
  const database = {
    async query(text, [first, username, , hash]) {
      if (text.startsWith("INSERT")) rows.push({ id: first, username, hash });
      const found = rows.filter((row) => row.hash === first || row.username === first);
      return { rows: found, rowCount: rows.filter((row) => row.id === first).length };
    },
  };
  const keys = new ApiKeys(database);
  const made = await keys.create("ada", "laptop");
  assert.ok(ApiKeys.looksLikeKey(made.key));
  assert.equal(await keys.ownerOf(made.key), "ada");
  assert.equal(await keys.ownerOf("gw_of_nobody"), null);
  assert.equal((await keys.list("ada")).length, 1);
  assert.equal(await keys.revoke("ada", made.id), true);
  assert.equal(await keys.revoke("ada", "no id"), false);
});
