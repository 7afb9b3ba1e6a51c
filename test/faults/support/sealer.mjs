// Seals one value many times and writes the nonces, 12 bytes each, to standard output.
// usage: node sealer.mjs FOLDER COUNT
import { writeSync } from "node:fs";
import { openInstallation } from "../../../packages/engine/dist/index.js";

const [folder = "", count = "0"] = process.argv.slice(2);
const { encryption, secrets } = await openInstallation({ storagePath: folder });
const record = /** @type {const} */ ({
  id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
  name: "A",
  type: "apiKey",
  version: 1,
  expiresAt: null,
});
const nonces = Buffer.alloc(Number(count) * 12);
for (let index = 0; index < Number(count); index++) {
  const { envelope } = await encryption.seal(record, "value");
  nonces.set(envelope.nonce, index * 12);
}
for (let at = 0; at < nonces.length; ) at += writeSync(1, nonces, at);
await secrets.close();
