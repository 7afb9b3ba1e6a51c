// The HTTP API against its own description: schemathesis makes requests of it, right ones and wrong ones, and checks every answer.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { openSecretsManager, openTokens } from "../../packages/secrets/dist/index.js";
import { startServer } from "../../packages/server/dist/index.js";
import { programs } from "../../scripts/servers/installation.mjs";
import { keyed, placeOf } from "./support/installation.mjs";
import { inFolder } from "./support/sandbox.mjs";

/** For each of the 13 calls. */
const EXAMPLES = process.argv.includes("--short") ? 20 : 2000;
const NAME = "KEPT";

/** @param {string} folder */
async function measure(folder) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder), audit: true });
  const { id } = await manager.secrets.create({ name: NAME, type: "apiKey", fields: { value: "v" } });
  const changed = await manager.secrets.create({ name: "CHANGED", type: "apiKey", fields: { value: "v" } });
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "all", role: "admin", prefixes: null, tags: null, expiresAt: null });
  let requests = 0;
  const server = await startServer({
    port: 0,
    secretsFor: (context) => manager.as(context),
    tokens,
    audit: manager.audit,
    requestsPerMinute: 10_000_000,
    refusedPerMinute: 10_000_000,
    log: {
      write(line) {
        if (JSON.parse(line).level === "error") console.log(line);
        else requests++;
      },
    },
  });
  const env = {
    ...process.env,
    SCHEMATHESIS_HOOKS: resolve("test/faults/support/schemathesis_hooks.py"),
    PYTHONDONTWRITEBYTECODE: "1",
    SECRET_ID: id,
    SECRET_NAME: NAME,
    CHANGED_ID: changed.id,
  };
  const { code, printed } = await runSchemathesis(`${server.address}/openapi.json`, token, folder, env);
  await server.close();
  tokens.close();
  await manager.secrets.close();
  if (code !== 0) console.log(printed);
  const problems = Number(/(\d+) failures?/.exec(printed)?.[1] ?? (code === 0 ? 0 : Number.NaN));
  const generated = /(\d+) generated/.exec(printed)?.[1] ?? "no";
  const figure = `${generated} cases of schemathesis, up to ${EXAMPLES} a call, ${requests} requests: ${problems} answers against the description`;
  return { id: "OpenAPI", figure, pass: code === 0 && requests > 100 };
}

/** @param {string} description @param {string} token @param {string} cwd @param {NodeJS.ProcessEnv} env */
async function runSchemathesis(description, token, cwd, env) {
  const config = ["--config-file", resolve("schemathesis.toml"), "run", description];
  const options = ["--max-examples", String(EXAMPLES), "--header", `Authorization: Bearer ${token}`, "--no-color"];
  const child = spawn(programs.schemathesis, [...config, ...options], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (printed += data));
  const code = await new Promise((done) => child.on("close", done));
  return { code, printed };
}

const missing = { id: "OpenAPI", figure: "the HTTP API against its description", missing: "schemathesis" };
console.log(JSON.stringify([existsSync(programs.schemathesis) ? await inFolder(measure) : missing]));
