const INSERT = `
INSERT INTO usage_records (id, at, username, model, prompt_tokens, completion_tokens, cost)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::numeric[])
ON CONFLICT (id) DO NOTHING`;

const SUMS = `
count(*) AS requests,
coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
coalesce(sum(completion_tokens), 0) AS completion_tokens,
coalesce(sum(cost), 0) AS cost`;

const DAY = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
const FILTER = `
WHERE ($1::text IS NULL OR username = $1)
AND ($2::text IS NULL OR at >= $2::date::timestamp AT TIME ZONE 'UTC')
AND ($3::text IS NULL OR at < ($3::date + 1)::timestamp AT TIME ZONE 'UTC')`;

/** The records of usage in PostgreSQL. */
export class UsageStore {
  #database;

  constructor(database) {
    this.#database = database;
  }

  async insert(records) {
    const column = (name) => records.map((record) => record[name]);
    const names = ["id", "at", "username", "model", "prompt_tokens", "completion_tokens", "cost"];
    await this.#database.query(INSERT, names.map(column));
  }

  /** Return `{total, data}` of a user, or of all users if `username` is null. Days are texts like 2026-01-31, or null. */
  async report({ username, since, until }) {
    const values = [username, since, until];
    const [total, data] = await Promise.all([
      this.#database.query(`SELECT ${SUMS} FROM usage_records ${FILTER}`, values),
      this.#database.query(
        `SELECT ${DAY} AS day, model, username AS user, ${SUMS} FROM usage_records ${FILTER}
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
        values,
      ),
    ]);
    return { total: total.rows[0], data: data.rows };
  }

  /** Return what the user's answers of a day cost, in US dollars. */
  async spentOn(day, username) {
    const { rows } = await this.#database.query(
      `SELECT coalesce(sum(cost), 0) AS cost FROM usage_records ${FILTER}`,
      [username, day, day],
    );
    return rows[0].cost;
  }
}
