/** Reads a secret many times, with the audit log on. Arguments: folder of the secrets, home, count. */
import { openSecretsManager } from "../../src/index.ts";

const [storagePath = "", home = "", id = "", count = "0"] = process.argv.slice(2);
const { secrets } = await openSecretsManager({
  storagePath,
  env: { HOME: home },
  audit: true,
  actor: { kind: "user", id, address: null },
});
for (let read = 0; read < Number(count); read++) await secrets.get("A");
await secrets.close();
console.log("done");
