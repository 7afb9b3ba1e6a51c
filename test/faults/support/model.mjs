/**
 * What a store must hold, and what an operation makes of it.
 *
 * @typedef {{ version: number, value: string }} Version
 * @typedef {{ deleted: boolean, versions: readonly Version[] }} Entry The newest version first.
 * @typedef {Readonly<Record<string, Entry>>} Secrets
 * @typedef {{ backend: string, secrets: Secrets }} State
 * @typedef {State & { backups: Readonly<Record<string, Secrets>> }} Model
 */

/**
 * @typedef {{ kind: "set", values: Readonly<Record<string, string>> }
 *   | { kind: "delete" | "restore" | "purge", name: string }
 *   | { kind: "rollback", name: string, to: number }
 *   | { kind: "migrate", to: string }
 *   | { kind: "backup" | "restore-backup", file: string }} Operation
 */

/** So many versions of a secret are kept: few, so that many are dropped. */
export const KEPT = 4;

/** @param {string} backend @returns {Model} */
export function emptyModel(backend) {
  return { backend, secrets: {}, backups: {} };
}

/**
 * The model after an operation that fits it.
 *
 * @param {Model} model
 * @param {Operation} operation
 * @returns {Model}
 */
export function apply(model, operation) {
  const { secrets, backups } = model;
  switch (operation.kind) {
    case "set":
      return { ...model, secrets: Object.entries(operation.values).reduce(addVersion, secrets) };
    case "delete":
    case "restore":
      return { ...model, secrets: mark(secrets, operation.name, operation.kind === "delete") };
    case "purge":
      return { ...model, secrets: without(secrets, operation.name) };
    case "rollback":
      return { ...model, secrets: addVersion(secrets, [operation.name, valueAt(secrets, operation)]) };
    case "migrate":
      return { ...model, backend: operation.to };
    case "backup":
      return { ...model, backups: { ...backups, [operation.file]: secrets } };
    default:
      // The store keeps its kind.
      return { ...model, secrets: backups[operation.file] ?? {} };
  }
}

/** @param {Secrets} secrets @param {readonly [string, string]} version @returns {Secrets} */
function addVersion(secrets, [name, value]) {
  const { versions } = secrets[name] ?? { versions: [] };
  const next = { version: (versions[0]?.version ?? 0) + 1, value };
  return { ...secrets, [name]: { deleted: false, versions: [next, ...versions].slice(0, KEPT) } };
}

/** @param {Secrets} secrets @param {string} name @param {boolean} deleted @returns {Secrets} */
function mark(secrets, name, deleted) {
  return { ...secrets, [name]: { versions: [], ...secrets[name], deleted } };
}

/** @param {Secrets} secrets @param {string} name @returns {Secrets} */
function without(secrets, name) {
  return Object.fromEntries(Object.entries(secrets).filter(([other]) => other !== name));
}

/** @param {Secrets} secrets @param {{ name: string, to: number }} rollback */
function valueAt(secrets, { name, to }) {
  return secrets[name]?.versions.find(({ version }) => version === to)?.value ?? "";
}

/** Whether a store holds what the model says. Where there are no secrets it may not have been made yet. @param {State} found @param {State} model */
export function isSame(found, model) {
  const { backend } = found;
  const isUnmade = backend === "memory" && Object.keys(model.secrets).length === 0;
  return (isUnmade || backend === model.backend) && describe(found.secrets) === describe(model.secrets);
}

/** Equal texts for equal secrets. @param {Secrets} secrets */
export function describe(secrets) {
  const entries = Object.keys(secrets).toSorted();
  return JSON.stringify(entries.map((name) => [name, secrets[name]?.deleted, secrets[name]?.versions.map(inOrder)]));
}

/** @param {Version} version */
function inOrder({ version, value }) {
  return [version, value];
}

/** How many versions of `model` are nowhere in `found`. @param {State} found @param {State} model */
export function countLost(found, model) {
  const lost = Object.entries(model.secrets).map(([name, { versions }]) => {
    const stored = new Set(found.secrets[name]?.versions.map((version) => String(inOrder(version))));
    return versions.filter((version) => !stored.has(String(inOrder(version)))).length;
  });
  return lost.reduce((sum, count) => sum + count, 0);
}
