// D25: a file system on which SQLite cannot lock a database. A new store is a file store there, said once and remembered; a
// database that is there is never given up for one.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { HAS_STRACE, traced } from "./support/strace.mjs";

const SET = ["secrets", "set", "A", "--from-file", "value"];
const NOTE = "SQLite cannot be used on this file system";

/**
 * Sets a secret where the first lock of a file fails.
 *
 * @param {string} folder
 * @param {string} error
 * @param {readonly string[]} args How the same is done without that, to see which call locks first.
 */
async function setWithoutLock(folder, error, args) {
  const { points } = await traced(folder, args, { calls: "fcntl" });
  const [first] = points;
  if (first === undefined) throw new Error("nothing was locked");
  return await traced(folder, SET, { calls: "fcntl", inject: `fcntl:error=${error}:when=${first.ordinal}` });
}

/** @param {string} error @returns {Promise<readonly string[]>} What was wrong. */
async function tryNewStore(error) {
  return await inFolder(async (root) => {
    writeFileSync(join(root, "value"), "value-1234");
    const set = await setWithoutLock(root, error, [...SET, "--storage-path", "other/.workflow/secrets"]);
    const again = await traced(root, ["secrets", "set", "B", "--from-file", "value"], { calls: "fcntl" });
    const got = await traced(root, ["secrets", "get", "A"], { calls: "fcntl" });
    const secrets = join(root, ".workflow/secrets");
    return [
      ...(set.status === 0 && set.stderr.includes(NOTE) ? [] : [`set ended with ${set.status}: ${set.stderr}`]),
      ...(again.status === 0 && !again.stderr.includes(NOTE) ? [] : [`the second set: ${again.stderr}`]),
      ...(got.stdout === "value-1234" ? [] : [`get printed ${got.stdout}`]),
      ...(existsSync(join(secrets, "secrets.json")) ? [] : ["there is no secrets.json"]),
      ...(existsSync(join(secrets, "secrets.db")) ? ["there is a secrets.db"] : []),
    ];
  });
}

/** @param {string} error @returns {Promise<readonly string[]>} What was wrong. */
async function tryOldStore(error) {
  return await inFolder(async (root) => {
    writeFileSync(join(root, "value"), "value-1234");
    await traced(root, SET, { calls: "fcntl" });
    const set = await setWithoutLock(root, error, SET);
    const got = await traced(root, ["secrets", "get", "A"], { calls: "fcntl" });
    return [
      ...(got.stdout === "value-1234" ? [] : [`get printed ${got.stdout}`]),
      ...(existsSync(join(root, ".workflow/secrets/secrets.json")) ? ["a second store was made"] : []),
      ...(set.status === 0 || set.stderr.includes("secrets.db") ? [] : [`set said ${set.stderr}`]),
    ];
  });
}

/** @type {string[]} */
const problems = [];
const errors = ["ENOLCK", "EINVAL", "EOPNOTSUPP"];
if (HAS_STRACE) {
  for (const error of errors) {
    for (const attempt of [tryNewStore, tryOldStore]) {
      const name = `${error}, ${attempt.name}`;
      const found = (await inRound(name, async () => await attempt(error))) ?? [];
      problems.push(...found.map((problem) => `${name}: ${problem}`));
    }
  }
  for (const problem of problems) console.log(problem);
}
const figure = `${2 * errors.length} stores without locks: ${problems.length} problems`;
printRows([
  HAS_STRACE ? { id: "D25", pass: problems.length === 0, figure } : { id: "D25", figure: "not run", missing: "strace" },
]);
