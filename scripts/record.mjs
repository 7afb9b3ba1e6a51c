// `npm run record`: records what every command prints, good and bad, and what the packages export, into test/record/outputs. What a
// commit changes for users shows in `git diff` then. With --check nothing is written: the difference is printed, and is a failure.
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inFolder } from "../test/faults/support/sandbox.mjs";
import { createRecorder } from "../test/record/support/recorder.mjs";
import { run } from "./run.mjs";
import { repository } from "./workspace.mjs";

const TOPICS = join(repository, "test", "record", "topics");
const OUTPUTS = join(repository, "test", "record", "outputs");

/**
 * What a file of test/record/topics exports.
 *
 * @typedef {object} Topic
 * @property {readonly string[]} [drivers] It is recorded once for each. Default: once.
 * @property {(recorder: import("../test/record/support/recorder.mjs").Recorder) => Promise<void>} record
 *
 * @typedef {object} Job
 * @property {string} file Name of the recording.
 * @property {string} driver
 * @property {Topic} topic
 */

/** Records some topics, or all of them. @param {readonly string[]} names @param {string} target Folder of the recordings. */
async function recordAll(names, target) {
  const jobs = await findJobs(names);
  const waiting = [...jobs];
  async function work() {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      writeFileSync(join(target, job.file), await recordJob(job));
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return jobs.map(({ file }) => file);
}

/** @param {readonly string[]} names @returns {Promise<Job[]>} */
async function findJobs(names) {
  const all = readdirSync(TOPICS).map((file) => basename(file, ".mjs"));
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no such topic: ${unknown.join(", ")}; there are ${all.join(", ")}`);
  const chosen = names.length === 0 ? all : names;
  const jobs = chosen.map(async (name) => {
    /** @type {Topic} */
    const topic = await import(pathToFileURL(join(TOPICS, `${name}.mjs`)).href);
    if (topic.drivers === undefined) return [{ file: `${name}.txt`, driver: "sqlite", topic }];
    return topic.drivers.map((driver) => ({ file: `${name}.${driver}.txt`, driver, topic }));
  });
  return (await Promise.all(jobs)).flat();
}

/** @param {Job} job */
async function recordJob({ file, driver, topic }) {
  return await inFolder(async (folder) => {
    const recorder = createRecorder(folder, driver);
    try {
      await topic.record(recorder);
    } catch (error) {
      throw new Error(`${file} could not be recorded`, { cause: error });
    }
    return recorder.text();
  });
}

/** Compares new recordings with those that are kept. @param {readonly string[]} names */
async function check(names) {
  return await inFolder(async (folder) => {
    const files = await recordAll(names, folder);
    const kept = names.length === 0 && existsSync(OUTPUTS) ? readdirSync(OUTPUTS) : [];
    const differing = findDifferences(new Set([...files, ...kept]), OUTPUTS, folder, console.log);
    const advice = differing.length === 0 ? "" : ": `npm run record` takes the new ones";
    console.log(`${files.length} recordings, ${differing.length} differ from test/record/outputs${advice}`);
    return differing.length === 0;
  });
}

/**
 * Finds the files that two folders do not have in common, or with another text, and prints how they differ.
 *
 * @param {Iterable<string>} names
 * @param {string} before
 * @param {string} after
 * @param {(text: string) => void} print
 */
export function findDifferences(names, before, after, print) {
  return [...names].filter((name) => {
    const [old = "", now = ""] = [join(before, name), join(after, name)].map((file) =>
      existsSync(file) ? file : "/dev/null",
    );
    const { ok, stdout, stderr } = run("git", ["diff", "--no-index", "--no-color", old, now]);
    if (!ok) print(stdout + stderr);
    return !ok;
  });
}

/** Replaces the recordings, once the new ones are there. @param {readonly string[]} names */
async function record(names) {
  return await inFolder(async (folder) => {
    const files = await recordAll(names, folder);
    if (names.length === 0) rmSync(OUTPUTS, { recursive: true, force: true });
    cpSync(folder, OUTPUTS, { recursive: true });
    console.log(`${files.length} recordings in test/record/outputs; \`git diff\` shows what has changed`);
    return true;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(repository);
  // Of what the topics write themselves.
  process.umask(0o022);
  const names = process.argv.slice(2).filter((argument) => argument !== "--check");
  const isDone = await (process.argv.includes("--check") ? check(names) : record(names));
  process.exitCode = isDone ? 0 : 1;
}
