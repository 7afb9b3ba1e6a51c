// D5, D6, D8, D13, P6, and a full disk ("ENOSPC"): what the disk can refuse, for every command of both stores. Each ends done, or
// with an error that names path and reason; nothing is lost, and all works again when the cause is gone. D22: a run goes on where
// it cannot be recorded.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, statSync } from "node:fs";
import { join } from "node:path";
import { fewFiles, fileSizeLimit, foreignOwner, fullDisk, locked, noInodes, readOnly } from "./support/disk-faults.mjs";
import { fill, placeOf, run } from "./support/installation.mjs";
import { HAS_OWN_MOUNTS, onDiskOfItsOwn, runWithOwnMounts } from "./support/own-mounts.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";
import { STORE_COMMANDS } from "./support/store-commands.mjs";
import { Figures, tryCommand } from "./support/try-command.mjs";
import { tryRun } from "./support/try-run.mjs";

const isShort = process.argv.includes("--short");

/** @param {string} tool */
function isMissing(tool) {
  return spawnSync(tool, ["--version"]).error !== undefined;
}

/**
 * @param {string} id
 * @param {readonly string[]} tools
 * @param {() => Promise<{ figure: string, pass: boolean }>} work
 */
async function row(id, tools, work) {
  const missing = ["mount", ...tools].filter(isMissing);
  if (!HAS_OWN_MOUNTS) missing.push("unshare as root");
  if (missing.length > 0) return { id, figure: "not run", missing: missing.join(", ") };
  return await inRound(id, async () => ({ id, ...(await work()) }));
}

/**
 * @param {readonly import("./support/disk-faults.mjs").Fault[]} faults
 * @param {readonly import("./support/store-commands.mjs").StoreCommand[]} [commands]
 */
async function measure(faults, commands = STORE_COMMANDS) {
  const figures = new Figures();
  for (const backend of ["sqlite", "file"]) {
    for (const fault of faults) {
      for (const command of commands) {
        await inRound(`${backend}, ${fault.reason}, ${command.args.join(" ")}`, async () => {
          await onDiskOfItsOwn(async (folder) => await tryCommand(folder, backend, fault, command, figures));
        });
      }
    }
  }
  return { figure: String(figures), pass: figures.pass };
}

async function measureRuns() {
  /** @type {string[]} */
  const problems = [];
  const faults = [fullDisk(0), fullDisk(20_000), noInodes, readOnly, fileSizeLimit(1024), fileSizeLimit(26_000)];
  for (const hasHistory of [false, true]) {
    for (const fault of faults) {
      await onDiskOfItsOwn(async (folder) => {
        for (const problem of await tryRun(folder, fault, hasHistory)) problems.push(`${fault.reason}: ${problem}`);
      });
    }
  }
  for (const problem of problems) console.log(problem);
  return {
    figure: `${2 * faults.length} runs whose history cannot be written: ${problems.length} problems`,
    pass: problems.length === 0,
  };
}

async function measureOwners() {
  const { figure, pass } = await measure([foreignOwner]);
  const problems = [...(await openStores()), ...(await looseKeys())];
  for (const problem of problems) console.log(problem);
  return {
    figure: `${figure}; 4 open folders and keys of others: ${problems.length} let pass`,
    pass: pass && problems.length === 0,
  };
}

/** A folder of secrets that everybody can write to is closed by the next write. */
async function openStores() {
  /** @type {string[]} */
  const problems = [];
  for (const backend of ["sqlite", "file"]) {
    await inFolder(async (folder) => {
      await fill(folder, backend);
      chmodSync(placeOf(folder), 0o777);
      const { status, stderr } = await run(folder, ["secrets", "set", "A"], { input: "new" });
      const mode = (statSync(placeOf(folder)).mode & 0o777).toString(8);
      if (status !== 0 || mode !== "700") problems.push(`${backend}: exit ${status}, mode ${mode}: ${stderr}`);
    });
  }
  return problems;
}

/** A key that others own, or can replace, is refused. */
async function looseKeys() {
  /** @type {string[]} */
  const problems = [];
  await inFolder(async (folder) => {
    const key = join(folder, "home", ".autokestra", "secret.key");
    const env = environment(folder);
    await run(folder, ["secrets", "set", "A"], { input: "value", env });
    /** @param {string} what @param {RegExp} reason */
    const expectRefusal = async (what, reason) => {
      const { status, stdout, stderr } = await run(folder, ["secrets", "get", "A"], { env });
      if (status === 0 || stdout !== "" || !reason.test(stderr)) problems.push(`${what}: exit ${status}: ${stderr}`);
    };
    chownSync(key, 65_534, 65_534);
    await expectRefusal("a key of another user", /belongs to another user/);
    chownSync(key, 0, 0);
    chmodSync(join(key, ".."), 0o777);
    await expectRefusal("a key in an open folder", /everybody can write to/);
  });
  return problems;
}

async function rows() {
  const freeBytes = isShort ? [0] : [0, 4096, 8192, 36_864, 65_536];
  const largest = isShort ? [1024] : [0, 1024, 4096, 20_000, 40_000];
  const freeFiles = isShort ? [0, 3] : Array.from({ length: 13 }, (_, free) => free);
  // Each write waits for the lock as long as it may.
  const someCommands = STORE_COMMANDS.filter(({ args }) => !isShort || args[1] === "A");
  return [
    await row("ENOSPC", [], async () => await measure(freeBytes.map(fullDisk))),
    await row("D5", [], async () => await measure([readOnly])),
    await row("D6", ["prlimit"], async () => await measure(largest.map(fileSizeLimit))),
    await row("D8", [], async () => await measure([locked], someCommands)),
    await row("D13", ["prlimit"], async () => await measure([noInodes, ...freeFiles.map(fewFiles)])),
    await row("P6", ["setpriv"], measureOwners),
    await row("D22", ["prlimit"], measureRuns),
  ];
}

// 200: so that it does not take long to open all that may be open.
const limit = isMissing("prlimit") ? [] : ["prlimit", "--nofile=200"];
if (!runWithOwnMounts(limit)) printRows(await rows());
