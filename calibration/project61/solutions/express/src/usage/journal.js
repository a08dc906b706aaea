import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const KEPT_MS = 3_600_000;

/**
 * Usage on disk until PostgreSQL has it: a line that was written is in the kernel's hands, and survives `kill -9`.
 *
 * Each process has a file of its own. At its start it also delivers what others have left; a row that arrives twice
 * has the same id. Only files that nobody has written to for an hour are removed: their process may be alive.
 */
export class Journal {
  #folder;
  #file;
  #descriptor;

  constructor(folder) {
    this.#folder = folder;
    fs.mkdirSync(folder, { recursive: true });
    this.#file = path.join(folder, `usage-${randomUUID()}.jsonl`);
    this.#descriptor = fs.openSync(this.#file, "a");
  }

  append(row) {
    fs.writeSync(this.#descriptor, `${JSON.stringify(row)}\n`);
  }

  /** Forget what was delivered; call it only if nothing waits. */
  clear() {
    fs.ftruncateSync(this.#descriptor);
  }

  /** Return the rows that other processes have left, and a function that removes what is old once they are delivered. */
  leftBehind() {
    const files = fs
      .readdirSync(this.#folder)
      .filter((name) => /^usage-.*\.jsonl$/.test(name))
      .map((name) => path.join(this.#folder, name))
      .filter((file) => file !== this.#file);
    const rows = files.flatMap((file) => fs.readFileSync(file, "utf8").split("\n").flatMap(asRow));
    const remove = () => {
      for (const file of files) {
        if (Date.now() - fs.statSync(file).mtimeMs > KEPT_MS) fs.rmSync(file);
      }
    };
    return { rows, remove };
  }

  close() {
    fs.closeSync(this.#descriptor);
  }
}

function asRow(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return []; // the last line of a process that died while it wrote
  }
}
