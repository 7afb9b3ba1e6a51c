import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const CLI = resolve("apps/cli/dist/autokestra.cjs");
const VALUE = "sk_live_51Hq9ZtK8vExample";
const WORKFLOW = `apiVersion: v1
id: deploy
secrets: [TOKEN]
tasks: [{ id: say, type: core/console.log, inputs: { message: "{{ secrets.TOKEN }}" } }]
`;

/**
 * Programs that are started again and again, each in the same place: a home, and a store with some secrets.
 *
 * @typedef {object} Programs
 * @property {Readonly<Record<string, () => void>>} ways By name; the empty program is the first.
 * @property {readonly string[]} notes What is not measured here, and why.
 * @property {() => void} remove
 */

/** @returns {Programs} */
export function preparePrograms() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-bench-")));
  const start = createStarter(folder);
  const floors = writeFloors(folder);
  const hasSqlite = start(process.execPath, [floors.sqlite]);
  const driver = ["--storage-backend", hasSqlite ? "sqlite" : "file"];
  /** @param {readonly string[]} args @param {string} [input] */
  const cli = (args, input) => {
    if (!start(process.execPath, [CLI, "-q", ...driver, ...args], input)) throw new Error(`${args.join(" ")} failed`);
  };
  for (const name of ["TOKEN", "DB", "DEPLOY_KEY"]) cli(["secrets", "set", name], VALUE);
  const hasSops = start("sops", ["--version"]);
  return {
    ways: {
      "node empty.cjs": () => start(process.execPath, [floors.empty]),
      ...(hasSqlite ? { "node, better-sqlite3 + node:crypto": () => start(process.execPath, [floors.sqlite]) } : {}),
      ...(hasSops ? { "sops --version": () => start("sops", ["--version"]) } : {}),
      "--version": () => start(process.execPath, [CLI, "--version"]),
      "secrets get": () => cli(["secrets", "get", "TOKEN"]),
      "secrets list": () => cli(["secrets", "list"]),
      "secrets set": () => cli(["secrets", "set", "DB"], VALUE),
      "--help": () => start(process.execPath, [CLI, "--help"]),
      check: () => cli(["check", "deploy.yaml"]),
    },
    notes: [
      ...(hasSqlite ? [] : ["better-sqlite3 is not built for this Node: the file store is measured instead"]),
      ...(hasSops ? [] : ["sops is not installed here"]),
    ],
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** @param {string} folder */
function writeFloors(folder) {
  const library = createRequire(CLI).resolve("better-sqlite3");
  const empty = join(folder, "empty.cjs");
  const sqlite = join(folder, "sqlite.cjs");
  writeFileSync(empty, "");
  writeFileSync(
    sqlite,
    `require("node:crypto"); const Database = require(${JSON.stringify(library)}); new Database(":memory:").close();`,
  );
  writeFileSync(join(folder, "deploy.yaml"), WORKFLOW);
  return { empty, sqlite };
}

/** Runs programs in a folder, and says whether they have succeeded. @param {string} folder */
function createStarter(folder) {
  const home = join(folder, "home");
  if (!existsSync(home)) mkdirSync(home, { mode: 0o700 });
  const env = { PATH: process.env["PATH"], HOME: home };
  /** @param {string} program @param {readonly string[]} args @param {string} [input] */
  return (program, args, input = "") =>
    spawnSync(program, args, { cwd: folder, env, input, stdio: ["pipe", "ignore", "ignore"] }).status === 0;
}
