import { pick } from "./random.mjs";

/** @import { Random } from "./random.mjs" */
/** @import { Entry, Model, Operation } from "./model.mjs" */

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
  const living = model.secrets.filter(({ deletedAt }) => deletedAt === null);
  const taken = new Set(living.map(({ name }) => name));
  const free = NAMES.filter((name) => !taken.has(name));
  const restorable = model.secrets.filter(({ name }) => !taken.has(name));
  const files = Object.keys(model.backups);
  const set = () => ({
    kind: /** @type {const} */ ("set"),
    serial,
    values: { [pick(random, NAMES)]: randomValue(random, serial) },
  });
  /** @type {(() => Operation)[]} */
  const choices = [
    set,
    set,
    () => ({
      kind: "set",
      serial,
      values: Object.fromEntries(NAMES.slice(2, 6).map((name) => [name, `${serial} of ${name}`])),
    }),
  ];
  if (living.length > 0) {
    choices.push(
      () => ({ kind: "delete", serial, name: pick(random, living).name }),
      () => ({ kind: "purge", serial, name: pick(random, model.secrets).name }),
      () => randomRollback(random, pick(random, living), serial),
      () => randomEdit(random, pick(random, living), serial),
    );
    if (free.length > 0)
      choices.push(() => ({ kind: "rename", serial, name: pick(random, living).name, to: pick(random, free) }));
  }
  if (restorable.length > 0) choices.push(() => randomRestore(random, restorable, serial));
  // There is no store before the first secret.
  if (moves && model.secrets.length > 0) {
    const to = model.backend === "sqlite" ? "file" : "sqlite";
    choices.push(
      () => ({ kind: "migrate", serial, to }),
      () => ({ kind: "backup", serial, file: `backup-${serial}` }),
    );
  }
  if (moves && files.length > 0) choices.push(() => ({ kind: "restore-backup", serial, file: pick(random, files) }));
  return pick(random, choices)();
}

/** Sometimes one that takes many pages of a database. @param {Random} random @param {number} serial */
function randomValue(random, serial) {
  return `value ${serial} ${"x".repeat(random() < 0.1 ? 20_000 : Math.floor(random() * 100))}`;
}

/** @param {Random} random @param {Entry} entry @param {number} serial @returns {Operation} */
function randomRollback(random, { name, versions }, serial) {
  return { kind: "rollback", serial, name, to: pick(random, versions).version };
}

/** With an expiry the value is sealed again in place. @param {Random} random @param {Entry} entry @param {number} serial @returns {Operation} */
function randomEdit(random, { name }, serial) {
  const expiresAt = random() < 0.7 ? new Date(Date.UTC(2100, 0, 1) + serial * 1000).toISOString() : null;
  return { kind: "edit", serial, name, description: `edited ${serial}`, expiresAt };
}

/** The newest of a name, or any by its id. @param {Random} random @param {readonly Entry[]} deleted @param {number} serial @returns {Operation} */
function randomRestore(random, deleted, serial) {
  const { name, label } = pick(random, deleted);
  const ofName = deleted.filter((entry) => entry.name === name);
  const [newest] = ofName.toSorted((a, b) => (b.deletedAt ?? 0) - (a.deletedAt ?? 0));
  const isNewest = newest !== undefined && random() < 0.5;
  return { kind: "restore", serial, name, label: isNewest ? newest.label : label, isNewest };
}
