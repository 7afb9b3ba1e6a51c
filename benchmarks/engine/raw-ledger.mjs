import { Database } from "../stores/raw-store.mjs";

/** @typedef {{ number: number, state: string }} Row */

const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/**
 * What the ledger writes and reads for a run with an owner, with statements written by hand: one transaction for all
 * claims, and one for all ends of the tasks that run at once.
 *
 * @param {string} path A run history that is there.
 */
export function openRawLedger(path) {
  const database = new Database(path);
  for (const setting of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"]) {
    database.pragma(setting);
  }
  const createRun = database.prepare(
    `INSERT INTO run_records (id, workflow, status, started_at, masked, pid, host, secrets, token, kept_until)
     VALUES (?, 'bench', 'running', ?, '{}', ?, 'host', '[]', ?, ${NOW} + 86400000)`,
  );
  const addTask = database.prepare("INSERT INTO task_runs (run_id, task, rules, state) VALUES (?, ?, ?, ?)");
  const addNeed = database.prepare("INSERT OR IGNORE INTO task_needs (run_id, need, task) VALUES (?, ?, ?)");
  /** @type {import("better-sqlite3").Statement<[number], { run: string, task: string, attempt: number }>} */
  const findClaimable = database.prepare(
    `SELECT run_id AS run, task, task_runs.attempt + 1 AS attempt FROM task_runs JOIN run_records ON run_records.id = run_id
     WHERE task_runs.number = ? AND status = 'running' AND state = 'ready' AND stop IS NULL`,
  );
  const claim = database.prepare(
    `UPDATE task_runs SET state = 'running', attempt = ?, worker = ?, lease_token = ?, due_at = NULL, lease_until = NULL
     WHERE number = ?`,
  );
  const end = database.prepare(
    `UPDATE task_runs SET state = 'success', result = ?, worker = NULL, lease_token = NULL, lease_until = NULL, due_at = NULL
     WHERE number = ? AND lease_token = ?`,
  );
  const keep = database.prepare("INSERT OR REPLACE INTO kept VALUES (?, 'result', ?, 1, 'key', ?)");
  /** @type {import("better-sqlite3").Statement<[string, string], Row>} */
  const find = database.prepare("SELECT number, state FROM task_runs WHERE run_id = ? AND task = ?");
  /** @type {import("better-sqlite3").Statement<[string], string | null>} */
  const findStop = database.prepare("SELECT stop FROM run_records WHERE id = ?");
  findStop.pluck();
  /** @type {import("better-sqlite3").Statement<[string, string], string>} */
  const dependents = database.prepare("SELECT task FROM task_needs WHERE run_id = ? AND need = ?");
  dependents.pluck();
  const setReady = database.prepare(
    "UPDATE task_runs SET state = 'ready', worker = NULL, lease_token = NULL, lease_until = NULL WHERE number = ?",
  );
  const addEvent = database.prepare("INSERT INTO run_events VALUES (?, 0, ?)");
  const finish = database.prepare(
    "UPDATE run_records SET status = 'success', finished_at = ?, duration_ms = 1 WHERE id = ?",
  );
  const wipe = database.prepare("DELETE FROM kept WHERE run_id = ?");

  /** @template T @param {() => T} work @returns {T} */
  const transact = (work) => database.transaction(work).immediate();

  /** @param {string} run @param {string} name */
  function row(run, name) {
    const found = find.get(run, name);
    if (found === undefined) throw new TypeError("no such task");
    return found;
  }

  return {
    database,
    /**
     * Runs all tasks to their end.
     *
     * @param {string} run @param {readonly import("../../packages/runs/dist/index.js").NewTask[]} tasks @param {Uint8Array} value
     */
    run(run, tasks, value) {
      const owner = crypto.randomUUID();
      const needs = new Map(tasks.map((task) => [task.id, task.needs]));
      let ready = transact(() => {
        createRun.run(run, new Date().toISOString(), process.pid, owner);
        return tasks.flatMap(({ id, statusesInIf, ...task }) => {
          const isReady = task.needs.length === 0;
          const rules = JSON.stringify({ ...task, statusesInIf: [...statusesInIf] });
          const { lastInsertRowid } = addTask.run(run, id, rules, isReady ? "ready" : "blocked");
          for (const need of task.needs) addNeed.run(run, need, id);
          return isReady ? [{ number: Number(lastInsertRowid), task: id }] : [];
        });
      });
      while (ready.length > 0) {
        const leases = ready.map((task) => ({ ...task, token: crypto.randomUUID() }));
        transact(() => {
          for (const { number, token } of leases) {
            const found = findClaimable.get(number);
            if (found !== undefined) claim.run(found.attempt, owner, token, number);
          }
        });
        ready = transact(() =>
          leases.flatMap(({ number, task, token }) => {
            end.run(JSON.stringify({ status: "success" }), number, token);
            keep.run(run, task, value);
            const stop = findStop.get(run);
            return dependents.all(run, task).flatMap((dependent) => {
              const found = row(run, dependent);
              const isReady =
                stop === null && (needs.get(dependent) ?? []).every((need) => row(run, need).state === "success");
              if (isReady) setReady.run(found.number);
              return isReady ? [{ number: found.number, task: dependent }] : [];
            });
          }),
        );
      }
      transact(() => {
        addEvent.run(run, JSON.stringify({ event: "run.finished" }));
        finish.run(new Date().toISOString(), run);
        wipe.run(run);
      });
      database.pragma("wal_checkpoint(TRUNCATE)");
    },
  };
}
