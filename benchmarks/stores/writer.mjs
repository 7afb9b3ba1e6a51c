// Writes versions of one secret for a number of seconds, and prints how many it has written and how many attempts have failed.
import { sampleSecret } from "../../packages/secrets-core/dist/testing/index.js";
import { openSqliteStore } from "../../packages/secrets-store-sqlite/dist/index.js";

const [path = "", name = "", seconds = ""] = process.argv.slice(2);
const store = await openSqliteStore(path);
const { metadata, envelope, mac } = sampleSecret(name);
const encrypted = { envelope: { ...envelope, ciphertext: new Uint8Array(256) }, mac };
const end = performance.now() + Number(seconds) * 1000;
let [written, errors] = [0, 0];
while (performance.now() < end) {
  const secret = { ...encrypted, metadata: { ...metadata, version: written + 1, revision: written + 1 } };
  const expected = written === 0 ? null : { id: metadata.id, revision: written };
  try {
    await store.put([{ secret, expected }], null);
    written += 1;
  } catch {
    errors += 1;
  }
}
await store.close();
console.log(JSON.stringify({ written, errors }));
