import type { Keyring } from "@autokestra/secrets-crypto";
import type { Database, Statement } from "@autokestra/sqlite";
import {
  type AuditContent,
  type AuditHead,
  type AuditRow,
  COLUMNS,
  chainRow,
  formatHead,
  GENESIS,
  hashOf,
  toContent,
} from "./audit-chain.ts";
import type { AuditActor, AuditFilter } from "./audit-event.ts";

/** The columns, for SQL. */
export const NAMES: string = COLUMNS.join(", ");
const INSERT = `INSERT INTO audit (${NAMES}) VALUES (${COLUMNS.map((name) => `@${name}`).join(", ")})`;
const LAST = `SELECT ${NAMES} FROM audit ORDER BY seq DESC LIMIT 1`;

/** What every record needs, prepared once: to prepare them takes as long as to run them. */
interface Statements {
  readonly insert: Statement<[AuditRow]>;
  readonly last: Statement<[], AuditRow>;
  readonly lastSeq: Statement<[], number>;
}

const prepared = new WeakMap<Database, Statements>();

function statementsOf(database: Database): Statements {
  const known = prepared.get(database);
  if (known !== undefined) return known;
  const statements = {
    insert: database.prepare<[AuditRow]>(INSERT),
    last: database.prepare<[], AuditRow>(LAST),
    lastSeq: database.prepare<[], number>("SELECT coalesce(max(seq), 0) FROM audit").pluck(),
  };
  prepared.set(database, statements);
  return statements;
}

/** The actor of records that no user caused. */
export const SYSTEM: AuditActor = { kind: "system", id: null, address: null };

/** Writes the next record. @param known as with {@link headOf} */
export function append(
  database: Database,
  content: AuditContent,
  keyring: Keyring | null,
  known: AuditHead | null = null,
): AuditRow {
  const { seq, hash } = headOf(database, known);
  const row = chainRow(content, { seq: seq + 1, prev: hash }, keyring);
  insert(database, row);
  return row;
}

export function insert(database: Database, row: AuditRow): void {
  statementsOf(database).insert.run(row);
}

export function lastRow(database: Database): AuditRow | undefined {
  return statementsOf(database).last.get();
}

/**
 * Where the log ends; before its first record at 0.
 *
 * @param known a record that this process has written: as long as it is the last one, it is not read again. What somebody has changed
 * it to meanwhile is not what the next record names
 */
export function headOf(database: Database, known: AuditHead | null = null): AuditHead {
  if (known !== null && statementsOf(database).lastSeq.get() === known.seq) return known;
  const row = lastRow(database);
  return row === undefined ? { seq: 0, hash: GENESIS } : { seq: row.seq, hash: hashOf(row) };
}

/** The maximum number of records that are removed in one transaction. */
export const MAX_PRUNED = 10_000;

/** Removes records from the front: none behind one that stays, whatever the clock has done in between. */
export function prune(database: Database, before: string, now: () => string, keyring: Keyring): number {
  const kept = database
    .prepare<[string], number>("SELECT seq FROM audit WHERE time >= ? ORDER BY seq LIMIT 1")
    .pluck()
    .get(before);
  const first = database.prepare<[], number | null>("SELECT min(seq) FROM audit").pluck().get() ?? null;
  if (first === null) return 0;
  const end = Math.min(kept ?? headOf(database).seq + 1, first + MAX_PRUNED);
  const row = database.prepare<[number], AuditRow>(`SELECT ${NAMES} FROM audit WHERE seq = ?`).get(end - 1);
  if (row === undefined) return 0;
  const source = formatHead({ seq: row.seq, hash: hashOf(row) });
  append(database, toContent({ actor: SYSTEM, action: "audit.prune", outcome: "done", source }, now), keyring);
  return database.prepare<[number]>("DELETE FROM audit WHERE seq < ?").run(end).changes;
}

/** The condition of a filter besides its limits, and its parameters. */
export function toCondition(filter: AuditFilter): {
  readonly condition: string;
  readonly values: Readonly<Record<string, string>>;
} {
  const { secret, actor, action, outcome, execution, since, anyPrefix, anyId } = filter;
  const given = [
    ["secret_name = @secret", { secret }],
    ["actor_id = @actor", { actor }],
    ["action = @action", { action }],
    ["(outcome = @outcome OR @outcome = 'error' AND outcome GLOB '[A-Z]*')", { outcome }],
    ["execution = @execution", { execution }],
    ["time >= @since", { since }],
    [BEGINS_WITH_ANY, { anyPrefix: anyPrefix && JSON.stringify(anyPrefix) }],
    ["secret_id IN (SELECT value FROM json_each(@anyId))", { anyId: anyId && JSON.stringify(anyId) }],
  ] as const;
  const conditions = given.flatMap(([sql, parameter]) =>
    Object.entries(parameter).flatMap(([name, value]) => (value === undefined ? [] : [{ sql, name, value }])),
  );
  return {
    condition: conditions.map(({ sql }) => ` AND ${sql}`).join(""),
    values: Object.fromEntries(conditions.map(({ name, value }) => [name, value])),
  };
}

const BEGINS_WITH_ANY = `
  EXISTS (SELECT 1 FROM json_each(@anyPrefix) WHERE substr(secret_name, 1, length(value)) = value)`;

/** The first and the last record; 0 if there is none. Two queries, because SQLite then reads nothing else. */
export function endsOf(database: Database): { readonly first: number; readonly last: number } {
  const [first, last] = ["min", "max"].map((which) =>
    database.prepare<[], number>(`SELECT coalesce(${which}(seq), 0) FROM audit`).pluck().get(),
  );
  return { first: first ?? 0, last: last ?? 0 };
}
