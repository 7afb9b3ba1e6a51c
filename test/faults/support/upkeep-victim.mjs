// Makes backups and renews the data key again and again, and tells each one, until it is killed.
import { join } from "node:path";
import { backUpIfDue, openSecretsManager, renewDataKey } from "../../../packages/secrets/dist/index.js";
import { nextSecond } from "./next-second.mjs";

const [, , folder = "", recipient = ""] = process.argv;
const options = { env: {}, storagePath: join(folder, "secrets"), keyFolder: join(folder, "keys"), audit: true };
const schedule = { folder: join(folder, "backups"), everyMs: 1, recipients: [recipient], keep: 3 };
const manager = await openSecretsManager(options);

/** @param {string} name @param {() => Promise<unknown>} work */
async function repeat(name, work) {
  for (;;) {
    if (await work()) process.stdout.write(`${name}\n`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

process.stdout.write("begun\n");
await Promise.all([
  // The name of a backup has the second in which it was made.
  repeat("backup", async () => {
    await nextSecond();
    return await backUpIfDue(manager, options, schedule);
  }),
  repeat("renewal", async () => await renewDataKey(manager, { maxAgeMs: 1, secretsPerSecond: 1000 })),
]);
