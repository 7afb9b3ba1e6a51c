// Reads and changes secrets whose audit log is on until it is killed, and says on a line what it was given or told.
// Arguments: folder, id of the actor.
import { writeSync } from "node:fs";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { keyed, placeOf } from "./installation.mjs";

const [folder = "", id = ""] = process.argv.slice(2);
const { secrets } = await openSecretsManager({
  storagePath: placeOf(folder),
  env: keyed(folder),
  audit: true,
  actor: { kind: "user", id, address: null },
});
for (let count = 0; ; count++) {
  const name = `S${count % 3}`;
  await secrets.set({ name, type: "apiKey", fields: { value: `value ${count} of ${id}` } });
  writeSync(1, "set\n");
  await secrets.get(name);
  writeSync(1, "read\n");
}
