// Sets secrets until it is killed or done, and prints a name when its value is acknowledged.
// usage: node writer.mjs FOLDER BACKEND PREFIX COUNT   (PREFIX "same": all write one name)
import { writeSync } from "node:fs";
import { openSecrets } from "../../../packages/secrets/dist/index.js";

const [folder = "", backend, prefix = "", count = "0"] = process.argv.slice(2);
const secrets = await openSecrets({ storagePath: folder, backend });
for (let index = 0; index < Number(count); index++) {
  const name = prefix === "same" ? "SAME" : `${prefix}_${index}`;
  const { version } = await secrets.set({ name, type: "apiKey", fields: { value: `value of ${name}` } });
  writeSync(1, `${name} ${version}\n`);
}
await secrets.close();
