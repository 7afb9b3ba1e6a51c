// D9: eight processes write at once into a place where nothing is yet, to names of their own and to one name.
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { openSecrets } from "../../packages/engine/dist/index.js";
import { environment, inFolder } from "./support/sandbox.mjs";

const PROCESSES = 8;
const SETS = process.argv.includes("--short") ? 25 : 200;

/** @param {string} backend @param {(index: number) => string} prefixOf */
async function measure(backend, prefixOf) {
  return await inFolder(async (folder) => {
    const place = join(folder, "secrets");
    const writer = resolve("test/faults/support/writer.mjs");
    const env = environment(folder);
    const writers = Array.from({ length: PROCESSES }, async (_, index) => {
      const args = [writer, place, backend, prefixOf(index), String(SETS)];
      return await promisify(execFile)(process.execPath, args, { env });
    });
    const results = await Promise.allSettled(writers);
    for (const result of results) if (result.status === "rejected") console.log(String(result.reason));
    const failed = results.filter(({ status }) => status === "rejected").length;
    const secrets = await openSecrets({ storagePath: place, backend, env });
    const versions = (await secrets.list()).reduce((sum, { version }) => sum + version, 0);
    for (const { name } of await secrets.list()) await secrets.get(name);
    await secrets.close();
    return { failed, lost: PROCESSES * SETS - versions };
  });
}

const parts = [];
let pass = true;
for (const backend of ["sqlite", "file"]) {
  for (const [kind, prefixOf] of /** @type {const} */ ([
    ["own names", (/** @type {number} */ index) => `P${index}`],
    ["one name", () => "same"],
  ])) {
    const { failed, lost } = await measure(backend, prefixOf);
    pass &&= failed === 0 && lost === 0;
    parts.push(`${backend}, ${kind}: ${lost} lost, ${failed} writers failed`);
  }
}
console.log(JSON.stringify([{ id: "D9", pass, figure: `${PROCESSES} x ${SETS} sets; ${parts.join("; ")}` }]));
