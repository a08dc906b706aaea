import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SUFFIX = ".json";

/**
 * Records of usage on disk, one file each, until PostgreSQL has them.
 *
 * A record is written before its answer ends, so it survives the process. Instances may share the folder: records
 * have ids, and delivering one twice has no effect.
 */
export class Spool {
  #directory;

  constructor(directory) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  write(record) {
    const path = this.#path(record.id);
    // A reader must never see half a record, nor a restart find one.
    writeFileSync(`${path}.tmp`, JSON.stringify(record));
    renameSync(`${path}.tmp`, path);
  }

  /** Return the ids of all records, in order. */
  ids() {
    const names = readdirSync(this.#directory).filter((name) => name.endsWith(SUFFIX));
    return names.map((name) => name.slice(0, -SUFFIX.length)).sort();
  }

  /** Return the record, or null if another instance has delivered it. */
  read(id) {
    try {
      return JSON.parse(readFileSync(this.#path(id), "utf8"));
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
    }
  }

  remove(id) {
    rmSync(this.#path(id), { force: true });
  }

  #path(id) {
    return join(this.#directory, id + SUFFIX);
  }
}
