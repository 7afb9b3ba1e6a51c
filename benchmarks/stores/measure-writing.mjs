import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../measure.mjs";
import { nameOf, openSecretsManager, PLAINTEXT, sample } from "./installation.mjs";
import { openRawStore } from "./raw-store.mjs";
import { openRawVersions } from "./raw-versions.mjs";

const SIZE = 1000;
const GOAL = 0.85;
const FIELDS = { value: "x".repeat(209) };

/** @param {string} root @returns {Promise<string[][]>} A table. */
export async function measureWriting(root) {
  const heads = "keeping|raw upsert|upsert/put|raw put|put|raw/put|goal||raw set|set|raw/set|goal|";
  const rows = [heads.split("|")];
  for (const maxVersions of [1, 10]) {
    const folder = join(root, `write-${maxVersions}`);
    mkdirSync(folder, { mode: 0o700 });
    const { upsert, rawPut, put, rawSet, set } = await measureKeeping(folder, maxVersions);
    const ratio = (upsert / put).toFixed(2);
    rows.push([`${maxVersions} versions`, upsert.toFixed(0), ratio, ...compare(rawPut, put), ...compare(rawSet, set)]);
  }
  return rows;
}

/** Each way writes to a database of its own. @param {string} folder @param {number} maxVersions */
async function measureKeeping(folder, maxVersions) {
  const { store, encryption, secrets } = await openSecretsManager(join(folder, "put.db"), SIZE);
  const { secrets: setting } = await openSecretsManager(join(folder, "set.db"), SIZE, maxVersions);
  const { secrets: samples, header } = await encryption.encrypt([sample(nameOf(0))]);
  const [encrypted] = samples;
  if (encrypted === undefined) throw new TypeError("nothing was encrypted");
  await store.backup(join(folder, "raw-put.db"));
  await store.backup(join(folder, "raw-set.db"));
  const upserting = openRawStore(join(folder, "upsert.db"), SIZE);
  const rawPutting = openRawVersions(join(folder, "raw-put.db"), maxVersions);
  const rawSetting = openRawVersions(join(folder, "raw-set.db"), maxVersions);
  rawSetting.encryptAll(PLAINTEXT);
  const next = createWalk();
  const metadata = new Map((await store.list()).map((one) => [one.name, one]));
  const rawRows = new Map([...metadata].map(([name, one]) => [name, toRow(one)]));
  const raw = { ...encrypted.envelope, mac: encrypted.mac };
  let version = 1;
  const times = await measure(
    {
      upsert: () => upserting.put(next(), ++version),
      async rawPut() {
        const stored = of(rawRows, next());
        const { revision } = stored;
        const row = { ...stored, version: stored.version + 1, revision: revision + 1 };
        await rawPutting.put(row, raw, revision);
        rawRows.set(row.name, row);
      },
      async put() {
        const stored = of(metadata, next());
        const row = { ...stored, version: stored.version + 1, revision: stored.revision + 1 };
        await store.put([{ secret: { ...encrypted, metadata: row }, expected: stored }], header, { maxVersions });
        metadata.set(row.name, row);
      },
      rawSet: () => rawSetting.set(next(), FIELDS.value),
      set: () => setting.set({ name: next(), type: "apiKey", fields: FIELDS }),
    },
    // As many as V8 takes to compile what a write runs: after 15 rounds whatever was measured first had 0.08 less than later.
    { rounds: 21, operations: 200, warmUp: 50 },
  );
  await secrets.close();
  await setting.close();
  for (const { database } of [upserting, rawPutting, rawSetting]) database.close();
  return /** @type {Record<"upsert" | "rawPut" | "put" | "rawSet" | "set", number>} */ (times);
}

/** @param {import("../../packages/secrets-core/dist/index.js").SecretMetadata} metadata */
function toRow({ id, name, type, description, version, revision, ...rest }) {
  const times = { created_at: rest.createdAt, updated_at: rest.updatedAt, expires_at: null, deleted_at: null };
  return { id, name, type, description, tags: "[]", version, revision, ...times, imported_id: null, policy: null };
}

/** @template T @param {ReadonlyMap<string, T>} map @param {string} name */
function of(map, name) {
  const found = map.get(name);
  if (found === undefined) throw new TypeError("there is no such secret");
  return found;
}

/** Visits all names in an order that no page of the database can use. */
function createWalk() {
  let at = 0;
  return () => {
    at = (at + 617) % SIZE;
    return nameOf(at);
  };
}

/** @param {number} raw @param {number} ours */
function compare(raw, ours) {
  const ratio = raw / ours;
  return [raw.toFixed(0), ours.toFixed(0), ratio.toFixed(2), GOAL.toFixed(2), ratio >= GOAL ? "met" : "missed"];
}
