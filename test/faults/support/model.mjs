/**
 * What a store must hold, and what an operation makes of it.
 *
 * @typedef {{ version: number, value: string }} Version
 * @typedef {object} Entry
 * @property {string} label The tag of the secret, which tells it from others that had its name.
 * @property {string} name
 * @property {number | null} deletedAt Greater for one that was deleted later.
 * @property {string | null} description
 * @property {string | null} expiresAt
 * @property {readonly Version[]} versions The newest version first.
 *
 * @typedef {readonly Entry[]} Secrets
 * @typedef {{ backend: string, secrets: Secrets }} State
 * @typedef {State & { backups: Readonly<Record<string, Secrets>> }} Model
 */

/**
 * @typedef {{ serial: number } & ({ kind: "set", values: Readonly<Record<string, string>> }
 *   | { kind: "delete" | "purge", name: string }
 *   | { kind: "restore", name: string, label: string, isNewest: boolean }
 *   | { kind: "rollback", name: string, to: number }
 *   | { kind: "edit", name: string, description: string, expiresAt: string | null }
 *   | { kind: "rename", name: string, to: string }
 *   | { kind: "migrate", to: string }
 *   | { kind: "backup" | "restore-backup", file: string })} Operation `serial` is greater for each that follows.
 */

/** The number of versions that are kept: few, so that many are dropped. */
export const KEPT = 4;

/** @param {string} backend @returns {Model} */
export function emptyModel(backend) {
  return { backend, secrets: [], backups: {} };
}

/** The tag of a secret that an operation makes. @param {string} name @param {number} serial */
export function labelOf(name, serial) {
  return `${name}-${serial}`;
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
    case "migrate":
      return { ...model, backend: operation.to };
    case "backup":
      return { ...model, backups: { ...backups, [operation.file]: secrets } };
    case "restore-backup":
      // The store keeps its kind.
      return { ...model, secrets: backups[operation.file] ?? [] };
    default:
      return { ...model, secrets: change(secrets, operation) };
  }
}

/**
 * @param {Secrets} secrets
 * @param {Exclude<Operation, { kind: "migrate" | "backup" | "restore-backup" }>} operation
 * @returns {Secrets}
 */
function change(secrets, operation) {
  switch (operation.kind) {
    case "set":
      return Object.entries(operation.values).reduce(
        (before, [name, value]) => set(before, name, value, operation.serial),
        secrets,
      );
    case "delete":
      return edit(secrets, operation.name, () => ({ deletedAt: operation.serial }));
    case "purge":
      return secrets.filter(({ name }) => name !== operation.name);
    case "restore":
      return secrets.map((entry) => (entry.label === operation.label ? { ...entry, deletedAt: null } : entry));
    case "rollback":
      return edit(secrets, operation.name, (entry) => addVersion(entry, valueAt(entry, operation.to)));
    case "edit":
      return edit(secrets, operation.name, () => ({
        description: operation.description,
        expiresAt: operation.expiresAt,
      }));
    default:
      return edit(secrets, operation.name, () => ({ name: operation.to }));
  }
}

/** Changes the one of this name that is not deleted. @param {Secrets} secrets @param {string} name @param {(entry: Entry) => Partial<Entry>} changed @returns {Secrets} */
function edit(secrets, name, changed) {
  return secrets.map((entry) => (isLiving(entry, name) ? { ...entry, ...changed(entry) } : entry));
}

/** @param {Entry} entry @param {string} name */
function isLiving(entry, name) {
  return entry.name === name && entry.deletedAt === null;
}

/** @param {Secrets} secrets @param {string} name @param {string} value @param {number} serial @returns {Secrets} */
function set(secrets, name, value, serial) {
  // A new value has no expiry unless one is given.
  const known = edit(secrets, name, (entry) => ({ ...addVersion(entry, value), expiresAt: null }));
  if (secrets.some((entry) => isLiving(entry, name))) return known;
  const versions = [{ version: 1, value }];
  return [
    ...secrets,
    { label: labelOf(name, serial), name, deletedAt: null, description: null, expiresAt: null, versions },
  ];
}

/** @param {Entry} entry @param {string} value */
function addVersion({ versions }, value) {
  const next = { version: (versions[0]?.version ?? 0) + 1, value };
  return { versions: [next, ...versions].slice(0, KEPT) };
}

/** @param {Entry} entry @param {number} wanted */
function valueAt({ versions }, wanted) {
  return versions.find(({ version }) => version === wanted)?.value ?? "";
}

/** Whether a store holds what the model says. Where there are no secrets it may not have been made yet. @param {State} found @param {State} model */
export function isSame(found, model) {
  const { backend } = found;
  const isUnmade = backend === "memory" && model.secrets.length === 0;
  return (isUnmade || backend === model.backend) && describe(found.secrets) === describe(model.secrets);
}

/** Equal texts for equal secrets. @param {Secrets} secrets */
export function describe(secrets) {
  const entries = secrets.map(({ label, name, deletedAt, description, expiresAt, versions }) =>
    JSON.stringify([name, label, deletedAt !== null, description, expiresAt, versions.map(inOrder)]),
  );
  return entries.toSorted().join("\n");
}

/** @param {Version} version */
function inOrder({ version, value }) {
  return [version, value];
}

/** How many versions of `model` are nowhere in `found`. @param {State} found @param {State} model */
export function countLost(found, model) {
  const stored = new Set(versionsIn(found));
  return versionsIn(model).filter((version) => !stored.has(version)).length;
}

/** @param {State} state */
function versionsIn({ secrets }) {
  return secrets.flatMap(({ label, versions }) => versions.map((version) => `${label} ${inOrder(version).join()}`));
}
