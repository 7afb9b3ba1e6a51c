// D9: eight processes write at once into a place where nothing is yet, to names of their own and to one name. D9-read: one reads
// a name while another writes, deletes, restores and purges it: it is there, deleted or not there, and the store is never damaged.
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { openSecrets } from "../../packages/secrets/dist/index.js";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";

const isShort = process.argv.includes("--short");
const PROCESSES = 8;
const SETS = isShort ? 25 : 200;
const READ_SECONDS = isShort ? 3 : 60;

/**
 * Runs a helper; of one that fails it tells what it said.
 *
 * @param {string} folder @param {string} name @param {readonly string[]} args
 * @returns {Promise<string | null>} What it printed, null where it failed.
 */
async function runHelper(folder, name, args) {
  const path = resolve("test/faults/support", name);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [path, ...args], { env: environment(folder) });
    return stdout;
  } catch (error) {
    const { stderr = "", stdout = "" } = /** @type {{ stderr?: string, stdout?: string }} */ (error);
    console.log(`${name} ${args.join(" ")} failed: ${stderr}${stdout.slice(-200)}`);
    return null;
  }
}

/** @param {string} backend @param {(index: number) => string} prefixOf */
async function measureWriters(backend, prefixOf) {
  return await inFolder(async (folder) => {
    const place = join(folder, "secrets");
    const writers = Array.from({ length: PROCESSES }, async (_, index) => {
      return await runHelper(folder, "writer.mjs", [place, backend, prefixOf(index), String(SETS)]);
    });
    const failed = (await Promise.all(writers)).filter((output) => output === null).length;
    const secrets = await openSecrets({ storagePath: place, backend, env: environment(folder) });
    const versions = (await secrets.list()).reduce((sum, { version }) => sum + version, 0);
    for (const { name } of await secrets.list()) await secrets.get(name);
    await secrets.close();
    return { failed, lost: PROCESSES * SETS - versions };
  });
}

/** @param {string} backend @returns {Promise<{ reads: number, changes: number, answers: Record<string, number> } | null>} */
async function measureReader(backend) {
  return await inFolder(async (folder) => {
    const secrets = await openSecrets({ storagePath: join(folder, "secrets"), backend, env: environment(folder) });
    await secrets.close();
    const args = [join(folder, "secrets"), String(READ_SECONDS)];
    const [read, changed] = await Promise.all([
      runHelper(folder, "reader.mjs", args),
      runHelper(folder, "changer.mjs", args),
    ]);
    return read === null || changed === null ? null : { ...JSON.parse(read), changes: Number(changed) };
  });
}

async function writersRow() {
  const parts = [];
  let pass = true;
  for (const backend of ["sqlite", "file"]) {
    for (const [kind, prefixOf] of /** @type {const} */ ([
      ["own names", (/** @type {number} */ index) => `P${index}`],
      ["one name", () => "same"],
    ])) {
      const { failed, lost } = await measureWriters(backend, prefixOf);
      pass &&= failed === 0 && lost === 0;
      parts.push(`${backend}, ${kind}: ${lost} lost, ${failed} writers failed`);
    }
  }
  return { id: "D9", pass, figure: `${PROCESSES} x ${SETS} sets; ${parts.join("; ")}` };
}

async function readerRow() {
  const parts = [];
  let pass = true;
  for (const backend of ["sqlite", "file"]) {
    const { reads, changes, answers } = (await measureReader(backend)) ?? { reads: 0, changes: 0, answers: {} };
    const known = ["SECRET_NOT_FOUND", "SECRET_DELETED"];
    const isOther = (/** @type {string} */ answer) => answer !== "value" && !known.includes(answer);
    const others = Object.entries(answers).filter(([answer]) => isOther(answer));
    pass &&= reads > 0 && changes > 0 && others.length === 0 && (answers["value"] ?? 0) > 0;
    const what = others.map(([answer, count]) => `, ${count} of them: ${answer}`).join("");
    parts.push(`${backend}: ${reads} reads during ${changes} changes${what || ", 0 with an error of another kind"}`);
  }
  return { id: "D9-read", pass, figure: parts.join("; ") };
}

printRows([await inRound("D9", writersRow), await inRound("D9-read", readerRow)]);
