// D2, D4-k: every k-th call that changes the disk fails, for every command that changes what is stored. What is there afterwards
// is what was there before or what the command makes of it, whole; the exit code is 0 only for the latter; and the command works
// once the cause is gone. D19-k: the same with SIGKILL instead of an error.
import { MUTATING_COMMANDS } from "./support/call-commands.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { HAS_STRACE } from "./support/strace.mjs";
import { createVictim } from "./support/victim.mjs";

/** @import { MutatingCommand } from "./support/call-commands.mjs" */
/** @import { Outcome, Point } from "./support/strace.mjs" */
/** @import { Victim } from "./support/victim.mjs" */

const isShort = process.argv.includes("--short");
/** Only every so-many-th of the k. */
const STEP = isShort ? 10 : 1;
const ERRORS = ["ENOSPC", "EIO", "EMFILE", "EACCES"];

/**
 * @typedef {object} Figures
 * @property {number} points Calls that failed, or at which the command was killed.
 * @property {number} missed Calls that no run has hit.
 * @property {number} wrong States that are neither the old nor the new one.
 * @property {number} falseExits Exit code 0, and the old state.
 * @property {number} badTexts Failures without `error:`, or with a stack, or that call themselves internal.
 * @property {number} stuck Commands that did not work once the cause was gone.
 * @property {number} drafts Left behind by these commands.
 */

/** @param {Victim} victim @param {Point} point @param {string} fault @param {Figures} figures */
async function tryAt(victim, point, fault, figures) {
  const { outcome, hit } = await victim.run(point, fault);
  /** @param {Exclude<keyof Figures, "points" | "drafts">} kind @param {string} text */
  const count = (kind, text) => {
    figures[kind] += 1;
    console.log(`${kind}: ${victim.name}, ${point.call} ${point.ordinal}, ${fault}: ${hit}\n${text}`);
  };
  if (hit === null) return count("missed", outcome.stderr);
  figures.points += 1;
  if (outcome.hung) return count("stuck", "it did not end");
  if (!isPlain(outcome)) count("badTexts", `exit code ${outcome.status}, ${outcome.stdout}${outcome.stderr}`);
  const state = await victim.observe().catch(String);
  if (state === victim.after) return;
  if (state !== victim.before) return count("wrong", state);
  if (outcome.status === 0) count("falseExits", outcome.stderr);
  const again = victim.runAgain();
  const last = await victim.observe().catch(String);
  if (again.status !== 0 || last !== victim.after) count("stuck", `${again.stderr}${last}`);
  figures.drafts += victim.countDrafts();
}

/** Whether it says what went wrong, if anything did, as it should. @param {Outcome} outcome */
function isPlain({ status, signal, stderr }) {
  if (status === 0 || signal === "SIGKILL") return true;
  const hasTrace = /^\s+at .+:\d+/m.test(stderr) || stderr.includes("node:internal");
  return status !== null && !hasTrace && /^error: /m.test(stderr) && !stderr.includes("Internal error");
}

/** @param {string} backend @param {readonly MutatingCommand[]} commands @param {(k: number) => string} faultAt */
async function measure(backend, commands, faultAt) {
  /** @type {Figures} */
  const figures = { points: 0, missed: 0, wrong: 0, falseExits: 0, badTexts: 0, stuck: 0, drafts: 0 };
  for (const command of commands) {
    await inRound(`${backend}, ${command.name}`, async () => {
      await inFolder(async (root) => {
        const victim = await createVictim(root, backend, command);
        const points = victim.points.filter((_, k) => k % STEP === 0);
        for (const [k, point] of points.entries()) {
          const fault = faultAt(k);
          const name = `${victim.name}, ${point.call} ${point.ordinal}, ${fault}`;
          await inRound(name, async () => await tryAt(victim, point, fault, figures));
        }
      });
    });
  }
  return figures;
}

/** @param {string} id @param {string} what @param {Figures} figures */
function toRow(id, what, { points, missed, wrong, falseExits, badTexts, stuck, drafts }) {
  const pass = points > 0 && wrong + falseExits + badTexts + stuck === 0;
  const counts = `${wrong} wrong states, ${falseExits} false exits, ${badTexts} bad texts, ${stuck} stuck`;
  return { id, pass, figure: `${what}: ${points} points (${missed} missed), ${counts}, ${drafts} drafts left` };
}

/** @param {number} k */
function errorAt(k) {
  return `error=${ERRORS[k % ERRORS.length]}`;
}

/** The rows of one store. @param {string} backend @param {{ error: string, kill: string }} ids */
async function rowsOf(backend, { error, kill }) {
  const commands = MUTATING_COMMANDS.filter(({ short = false }) => short || !isShort);
  const killed = commands.filter((command) => command.kill ?? false);
  const names = killed.map(({ name }) => name).join(", ");
  return [
    toRow(error, `${backend}, ${commands.length} commands`, await measure(backend, commands, errorAt)),
    toRow(kill, `${backend}, SIGKILL, ${names}`, await measure(backend, killed, () => "signal=KILL")),
  ];
}

const IDS = { sqlite: { error: "D2", kill: "D2-kill" }, file: { error: "D4-k", kill: "D4-kill" } };
const missing = Object.values(IDS).flatMap(({ error, kill }) => [error, kill]);
const rows = HAS_STRACE
  ? (await Promise.all([rowsOf("sqlite", IDS.sqlite), rowsOf("file", IDS.file)])).flat()
  : missing.map((id) => ({ id, figure: "not run", missing: "strace" }));
printRows(rows);
