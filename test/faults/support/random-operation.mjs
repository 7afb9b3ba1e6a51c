import { pick } from "./random.mjs";

/** @import { Random } from "./random.mjs" */
/** @import { Model, Operation } from "./model.mjs" */

const NAMES = ["A", "B", "C", "D", "E", "F", "G", "H"];

/**
 * An operation that fits the model.
 *
 * @param {Random} random
 * @param {Model} model
 * @param {{ serial: number, moves: boolean }} options `serial` makes values and files its own; `moves`: migrations and backups too.
 * @returns {Operation}
 */
export function randomOperation(random, model, { serial, moves }) {
  const names = Object.keys(model.secrets);
  const isDeleted = (/** @type {string} */ name) => model.secrets[name]?.deleted ?? false;
  const deleted = names.filter(isDeleted);
  const inUse = names.filter((name) => !isDeleted(name));
  const files = Object.keys(model.backups);
  /** @type {(() => Operation)[]} */
  const choices = [
    () => ({ kind: "set", values: { [pick(random, NAMES)]: randomValue(random, serial) } }),
    () => ({ kind: "set", values: { [pick(random, NAMES)]: randomValue(random, serial) } }),
    () => ({
      kind: "set",
      values: Object.fromEntries(NAMES.slice(2, 6).map((name) => [name, `${serial} of ${name}`])),
    }),
  ];
  if (inUse.length > 0) {
    choices.push(
      () => ({ kind: "delete", name: pick(random, inUse) }),
      () => randomRollback(random, model, pick(random, inUse)),
    );
  }
  if (deleted.length > 0) choices.push(() => ({ kind: "restore", name: pick(random, deleted) }));
  if (names.length > 0) choices.push(() => ({ kind: "purge", name: pick(random, names) }));
  if (moves) {
    const to = model.backend === "sqlite" ? "file" : "sqlite";
    choices.push(
      () => ({ kind: "migrate", to }),
      () => ({ kind: "backup", file: `backup-${serial}` }),
    );
  }
  if (moves && files.length > 0) choices.push(() => ({ kind: "restore-backup", file: pick(random, files) }));
  return pick(random, choices)();
}

/** Sometimes one that takes many pages of a database. @param {Random} random @param {number} serial */
function randomValue(random, serial) {
  return `value ${serial} ${"x".repeat(random() < 0.1 ? 20_000 : Math.floor(random() * 100))}`;
}

/** @param {Random} random @param {Model} model @param {string} name @returns {Operation} */
function randomRollback(random, model, name) {
  const { versions } = model.secrets[name] ?? { versions: [] };
  return { kind: "rollback", name, to: pick(random, versions).version };
}
