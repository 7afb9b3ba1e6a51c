import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../measure.mjs";
import { nameOf, openInstallation, sample } from "./installation.mjs";
import { openRawStore } from "./raw-store.mjs";
import { openRawVersions } from "./raw-versions.mjs";

const SIZE = 1000;
const GOAL = 0.85;

/** @param {string} root @returns {Promise<string[][]>} A table. */
export async function measureWriting(root) {
  const folder = join(root, "write");
  mkdirSync(folder, { mode: 0o700 });
  const { store, encryption, secrets } = await openInstallation(join(folder, "secrets.db"), SIZE);
  const { secrets: samples, header } = await encryption.seal([sample(nameOf(0))]);
  const [sealed] = samples;
  if (sealed === undefined) throw new TypeError("nothing was sealed");
  const current = new Map((await store.list()).map((metadata) => [metadata.name, metadata]));
  const raw = openRawStore(join(folder, "raw.db"), SIZE);
  const next = createWalk();

  /** @param {number} keepVersions */
  async function put(keepVersions) {
    const stored = current.get(next());
    if (stored === undefined) throw new TypeError("there is no such secret");
    const { version, revision } = stored;
    const metadata = { ...stored, version: version + 1, revision: revision + 1 };
    await store.put([{ secret: { ...sealed, metadata }, expected: stored }], header, { keepVersions });
    current.set(metadata.name, metadata);
  }

  const rows = [
    ["keeping", "raw upsert", "raw, same statements", "put", "upsert/put", "goal", "", "same/put", "goal", ""],
  ];
  let version = 1;
  for (const keepVersions of [1, 10]) {
    const path = join(folder, `same-${keepVersions}.db`);
    await store.backup(path);
    const same = openRawVersions(path, keepVersions);
    const {
      upsert = 0,
      statements = 0,
      ours = 0,
    } = await measure(
      {
        upsert: () => raw.put(next(), ++version),
        statements: () => same.put(next(), sealed),
        ours: () => put(keepVersions),
      },
      { rounds: 21, operations: 500 },
    );
    const times = [upsert, statements, ours].map((time) => time.toFixed(0));
    rows.push([`${keepVersions} versions`, ...times, ...judge(upsert / ours), ...judge(statements / ours)]);
    same.database.close();
  }
  await secrets.close();
  raw.database.close();
  return rows;
}

/** All names, one after the other, in no order that a page of the database could like. */
function createWalk() {
  let at = 0;
  return () => {
    at = (at + 617) % SIZE;
    return nameOf(at);
  };
}

/** @param {number} ratio */
function judge(ratio) {
  return [ratio.toFixed(2), GOAL.toFixed(2), ratio >= GOAL ? "met" : "missed"];
}
