import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../run.mjs";
import { consumerEnvironment } from "./consumer-environment.mjs";

const COMMANDS = ["autokestra", "workflow"];

/**
 * Runs the installed command under both of its names: its version, and a secret in and out of SQLite, and a new plugin. Returns the version.
 *
 * @param {string} folder Where the packages are installed.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @returns {string}
 */
export function tryCommand(folder, tarballs) {
  const version = tarballs.find(({ manifest }) => typeof manifest.bin === "object" && "autokestra" in manifest.bin)
    ?.manifest.version;
  if (version === undefined) throw new Error("no package brings the command `autokestra`");
  const home = join(folder, "home");
  const cwd = join(folder, "project");
  for (const path of [home, cwd]) mkdirSync(path);

  /** @type {(command: string, args: string[], input?: string) => string} */
  const call = (command, args, input = "") =>
    mustRun(join(folder, "node_modules", ".bin", command), args, { cwd, env: consumerEnvironment(home), input });

  for (const command of COMMANDS) expectSame(`${command} --version`, call(command, ["--version"]).trim(), version);
  const value = randomUUID();
  call("autokestra", ["secrets", "set", "API_KEY"], `${value}\n`);
  expectSame("autokestra secrets get", call("workflow", ["secrets", "get", "API_KEY"]), value);
  const list = call("autokestra", ["secrets", "list", "--json"]);
  expectSame(
    "autokestra secrets list",
    JSON.parse(list)
      .map((/** @type {{ name: string }} */ { name }) => name)
      .join(),
    "API_KEY",
  );
  if (list.includes(value)) throw new Error("autokestra secrets list shows the value of a secret");
  const database = join(cwd, ".workflow", "secrets", "secrets.db");
  if (!existsSync(database)) throw new Error(`the secret is not in SQLite: ${database} is not there`);
  tryPlugin(cwd, call);
  return version;
}

/**
 * Writes a plugin with the command, and runs its own test and a check with it, against the installed SDK.
 *
 * @param {string} cwd
 * @param {(command: string, args: string[]) => string} call
 */
function tryPlugin(cwd, call) {
  call("autokestra", ["plugin", "init", "acme/mail"]);
  const plugin = join(cwd, "plugin-mail");
  mustRun("npm", ["test"], { cwd: plugin, env: consumerEnvironment(plugin) });
  writeFileSync(join(cwd, "autokestra.config.yaml"), 'plugins: ["./plugin-mail"]\n', { mode: 0o600 });
  const task =
    "{ id: t, type: acme/mail.send, inputs: { url: 'https://example.com/', token: '{{ inputs.t }}', message: hi } }";
  writeFileSync(
    join(cwd, "w.yaml"),
    `apiVersion: v1\nid: w\ninputs: { t: { type: string, secret: true } }\ntasks: [${task}]\n`,
  );
  expectSame(
    "autokestra check with a plugin",
    call("autokestra", ["check", "w.yaml"]).split("\n", 1).join(""),
    "w.yaml: ok",
  );
}

/**
 * @param {string} what
 * @param {string} actual
 * @param {string} expected
 */
function expectSame(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: expected "${expected}", got "${actual}"`);
}
