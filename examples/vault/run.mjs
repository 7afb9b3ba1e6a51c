// Runs report.yaml with an action of its own. VAULT_ADDR and VAULT_TOKEN say where Vault or OpenBao is, and DATABASE_HOST,
// DATABASE_PORT and DATABASE_NAME where PostgreSQL is; set-up.mjs makes what the workflow takes from there.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "@autokestra/config";
import { corePlugins, loadWorkflow, openEngine } from "@autokestra/engine";
import { createPostgresPlugin, tryLogin } from "./postgres-plugin.mjs";

/** @param {string} name */
const beside = (name) => fileURLToPath(new URL(name, import.meta.url));

const {
  DATABASE_HOST: host = "127.0.0.1",
  DATABASE_PORT: port = "5432",
  DATABASE_NAME: database = "postgres",
} = process.env;
/** @type {import("pg").ClientConfig[]} */
const logins = [];
const postgres = createPostgresPlugin({ host, port: Number(port), database }, (login) => logins.push(login));
const place = mkdtempSync(join(tmpdir(), "autokestra-example-"));
const engine = await openEngine({
  config: await loadConfig({ path: beside("autokestra.config.yaml") }),
  plugins: [...corePlugins, postgres],
  storagePath: join(place, "secrets"),
  runsPath: join(place, "runs.db"),
});
try {
  const { status } = await engine.run(await loadWorkflow(beside("report.yaml")), {
    sink: (event) => event.event !== "run.finished" && console.log(`${event.level.padEnd(5)} ${event.message}`),
  });
  console.log(status);
} finally {
  await engine.close();
}
for (const login of logins) console.log(`the same user after the run: ${await tryLogin(login)}`);
