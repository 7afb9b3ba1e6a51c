// The audit log: what it records, and what is printed where it was changed or is gone.
import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../faults/support/open-database.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

const env = { AUTOKESTRA_AUDIT: "on" };

/** @param {Recorder} recorder */
export async function record(recorder) {
  const { ak, part, write, folder } = recorder;
  const place = join(folder, ".workflow", "secrets");
  part("Nothing yet");
  for (const command of ["list", "verify", "stats", "export", "restart"]) await ak(`audit ${command}`);
  part("What is recorded");
  await ak("secrets set DB", { input: "value of DB", env });
  await ak("secrets get DB", { env });
  await ak("secrets get OTHER", { env });
  await ak("secrets get DB", { env: { ...env, AUTOKESTRA_SECRET_KEY: "00112233445566778899aabbccddeeff".repeat(2) } });
  write(
    "w.yaml",
    "{ apiVersion: v1, id: w, secrets: [DB], tasks: [{ id: t, type: core/console.log, inputs: { message: hi } }] }",
  );
  await ak("run w.yaml", { env });
  await ak("audit list");
  await ak("audit list --secret DB --limit 1 --json");
  await ak("audit list --actor nobody");
  await ak("audit list --since lately");
  await ak("audit stats");
  await ak("audit stats --by secret --json");
  await ak("audit export --format csv --secret DB");
  await ak("audit verify");
  await ak("audit verify --json");
  part("What was changed");
  const database = openDatabase(join(place, "access.db"));
  database.exec("UPDATE audit SET outcome = 'intent' WHERE seq = 3");
  database.close();
  await ak("audit verify");
  part("What is gone");
  for (const name of readdirSync(place).filter((file) => file.startsWith("access.db"))) rmSync(join(place, name));
  await ak("secrets get DB", { env });
  await ak("secrets get DB --json", { env });
  await ak("secrets list", { env });
  await ak("audit verify");
  await ak("audit restart");
  await ak("secrets get DB", { env });
  await ak("audit verify");
  part("What cannot be used");
  renameSync(join(place, "access.db"), join(place, "secrets.db.away"));
  write(".workflow/secrets/access.db", "x".repeat(5000));
  await ak("secrets get DB", { env });
  await ak("audit list");
  await ak("secrets get DB", { env: { AUTOKESTRA_AUDIT: "maybe" } });
}
