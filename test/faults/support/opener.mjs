// Says that it is ready, waits for the end of its input, opens a place, and stores one secret.
// usage: node opener.mjs FOLDER BACKEND NAME
import { once } from "node:events";
import { openSecrets } from "../../../packages/secrets/dist/index.js";

const [folder = "", backend, name = ""] = process.argv.slice(2);
console.log("ready");
process.stdin.resume();
await once(process.stdin, "end");
const secrets = await openSecrets({ storagePath: folder, backend });
await secrets.set({ name, type: "apiKey", fields: { value: `value of ${name}` } });
await secrets.close();
