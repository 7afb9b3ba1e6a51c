// Writes versions of one secret for so many seconds, and prints how many it has written and how many attempts have failed.
import { parseSecretName } from "../../packages/secrets-core/dist/index.js";
import { openSqliteStore } from "../../packages/secrets-store-sqlite/dist/index.js";

const [path = "", name = "", seconds = ""] = process.argv.slice(2);
const store = await openSqliteStore(path);
const id = crypto.randomUUID();
const time = "2026-01-02T03:04:05.678Z";
const envelope = {
  format: 1,
  keyId: "0badcafe",
  nonce: new Uint8Array(12),
  ciphertext: new Uint8Array(256),
  tag: new Uint8Array(16),
};
const end = performance.now() + Number(seconds) * 1000;
let [written, errors] = [0, 0];
while (performance.now() < end) {
  const metadata = {
    id,
    name: parseSecretName(name),
    type: /** @type {const} */ ("apiKey"),
    description: null,
    tags: [],
    version: written + 1,
    createdAt: time,
    updatedAt: time,
    expiresAt: null,
    deletedAt: null,
  };
  try {
    await store.put([{ secret: { metadata, envelope }, expectedVersion: written === 0 ? null : written }], null);
    written += 1;
  } catch {
    errors += 1;
  }
}
await store.close();
console.log(JSON.stringify({ written, errors }));
