// Seals one value many times and writes the nonces, 12 bytes each, to standard output.
// usage: node sealer.mjs FOLDER COUNT
import { writeSync } from "node:fs";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";

/** @import { Plaintext } from "../../../packages/secrets-core/dist/index.js" */

const [folder = "", count = "0"] = process.argv.slice(2);
const { encryption, secrets } = await openSecretsManager({ storagePath: folder });
const { metadata } = await secrets.get("A");
const plaintext = /** @type {Plaintext} */ ("value");
const nonces = Buffer.alloc(Number(count) * 12);
for (let index = 0; index < Number(count); index++) {
  const { secrets: sealed } = await encryption.encrypt([{ metadata, plaintext }]);
  nonces.set(sealed[0]?.envelope.nonce ?? [], index * 12);
}
for (let at = 0; at < nonces.length; ) at += writeSync(1, nonces, at);
await secrets.close();
