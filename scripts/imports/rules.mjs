// ARCHITECTURE, "Who may import whom", as two tables.

/** @typedef {keyof typeof rules} Rule */

/** The six rules; 0 is the promise of the checker itself. */
export const rules = {
  0: "What cannot be read cannot be checked",
  1: "No circles, between packages or between files",
  2: "secrets-masker imports nothing",
  3: "Only secrets-crypto touches node:crypto",
  4: "Only secrets and engine compose; the others import what the picture shows and the libraries they declare",
  5: "Apps talk to engine, secrets and runs, and to core's types",
  6: "secrets-core has no input or output, only zod and lossless-json",
};

/** The picture: which of our packages a package may import. What has no row may not be there. */
const picture = {
  "secrets-core": [],
  "secrets-masker": [],
  "test-kit": [],
  "private-files": ["secrets-core"],
  sqlite: ["secrets-core", "private-files"],
  "secrets-crypto": ["secrets-core", "private-files"],
  "secrets-store-sqlite": ["secrets-core", "private-files", "sqlite"],
  "secrets-store-file": ["secrets-core", "private-files"],
  "secrets-store-postgres": ["secrets-core"],
  config: ["secrets-core", "private-files"],
  "secrets-resolver": ["secrets-core", "private-files"],
  "secrets-providers": ["secrets-core"],
  "plugin-sdk": ["secrets-masker"],
  "plugins-core": ["plugin-sdk"],
  secrets: [
    "secrets-core",
    "private-files",
    "sqlite",
    "secrets-crypto",
    "secrets-store-sqlite",
    "secrets-store-file",
    "secrets-store-postgres",
  ],
  runs: ["secrets-core", "private-files", "sqlite"],
  engine: [
    "secrets-core",
    "config",
    "secrets",
    "runs",
    "secrets-masker",
    "secrets-resolver",
    "secrets-providers",
    "plugin-sdk",
    "plugins-core",
  ],
  cli: ["server", "engine", "config", "secrets", "runs", "secrets-core"],
  server: ["engine", "config", "secrets", "runs", "secrets-core"],
  // Types of the server, and where the engine draws tasks.
  web: ["server", "engine"],
};

export const scope = "@autokestra/";
export const core = `${scope}secrets-core`;
export const crypto = `${scope}secrets-crypto`;
export const masker = `${scope}secrets-masker`;

/** They load packages that a configuration names: types of providers, and plugins in their own process. */
export const loaders = new Set([`${scope}engine`, `${scope}plugin-sdk`]);

/** The picture, by full names. */
export const allowedImports = new Map(
  Object.entries(picture).map(([from, to]) => [`${scope}${from}`, to.map((name) => `${scope}${name}`)]),
);
