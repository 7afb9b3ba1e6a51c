import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sampleSecret } from "../../packages/secrets-core/dist/testing/index.js";
import { openFileStore } from "../../packages/secrets-store-file/dist/index.js";
import { measure } from "../measure.mjs";

const SIZES = [
  { secrets: 10, versions: 1, rounds: 61 },
  { secrets: 1_000, versions: 1, rounds: 31 },
  { secrets: 10_000, versions: 1, rounds: 9 },
  { secrets: 10_000, versions: 10, rounds: 3 },
];

/** The bytes of a value of 100 characters. */
const CIPHERTEXT = 112;

/** @returns {Promise<string[][]>} A table. */
export async function measureFileStore() {
  const rows = [["", "MB", "raw", "set", "set/raw", "open, get", "get", "list", "page of 50"]];
  for (const size of SIZES) rows.push(await measureSize(size));
  return rows;
}

/** @param {{ secrets: number, versions: number, rounds: number }} size */
async function measureSize({ secrets, versions, rounds }) {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
  const path = join(folder, "secrets.json");
  const store = await openFileStore(path);
  try {
    await store.bulkInsert(Array.from({ length: secrets }, (_, index) => sampleHistory(nameOf(index), versions)));
    const bytes = readFileSync(path);
    const options = { rounds, operations: 1, clock: /** @type {const} */ ("wall") };
    const writing = await measure(
      { raw: () => replaceRaw(`${path}.raw`, bytes), set: setter(store, versions) },
      options,
    );
    const name = sampleSecret(nameOf(Math.floor(secrets / 2))).metadata.name;
    // A file that was written a moment ago is parsed at every look.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const reading = await measure(
      {
        "open, get": async () => {
          const opened = await openFileStore(path);
          await opened.get(name);
          await opened.close();
        },
        get: () => store.get(name),
        list: () => store.list(),
        page: () => store.list({ after: name, limit: 50 }),
      },
      options,
    );
    const { raw = Number.NaN, set = Number.NaN } = writing;
    const reads = ["open, get", "get", "list", "page"].map((way) => milliseconds(reading[way]));
    const title = versions === 1 ? `${secrets} secrets` : `${secrets} secrets x ${versions} versions`;
    return [
      title,
      (bytes.length / 1e6).toFixed(2),
      milliseconds(raw),
      milliseconds(set),
      (set / raw).toFixed(2),
      ...reads,
    ];
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

/** @param {number} index */
function nameOf(index) {
  return `SECRET_${index}`;
}

/** @param {string} name @param {number} versions */
function sampleHistory(name, versions) {
  return Array.from({ length: versions }, (_, index) => {
    const secret = sampleSecret(name, { version: index + 1, tags: ["production"] });
    return { ...secret, envelope: { ...secret.envelope, ciphertext: randomBytes(CIPHERTEXT) } };
  });
}

/**
 * Adds a version to the first secret, each time.
 *
 * @param {import("../../packages/secrets-core/dist/index.js").SecretStore} store
 * @param {number} versions How many it has.
 */
function setter(store, versions) {
  let version = versions;
  return async () => {
    const secret = sampleSecret(nameOf(0), { version: version + 1, tags: ["production"] });
    await store.put([{ secret, expected: { id: secret.metadata.id, revision: version } }], null);
    version += 1;
  };
}

/** The same bytes, as safe: draft, fsync, rename, fsync of the folder. @param {string} path @param {Buffer} bytes */
function replaceRaw(path, bytes) {
  const draft = `${path}.draft`;
  const file = openSync(draft, "w", 0o600);
  writeFileSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, path);
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

/** @param {number | undefined} time Microseconds. */
function milliseconds(time = Number.NaN) {
  return (time / 1000).toFixed(2);
}
