import { readdirSync } from "node:fs";
import { fill, placeOf, run, stateOf } from "./installation.mjs";
import { call } from "./store-commands.mjs";

/** @typedef {import("./disk-faults.mjs").Fault} Fault */
/** @typedef {import("./store-commands.mjs").StoreCommand} StoreCommand */

/** @type {StoreCommand} */
const AGAIN = {
  args: ["set", "C"],
  call: (secrets) => secrets.set({ name: "C", type: "apiKey", fields: { value: "again" } }),
};

/** What came of commands under faults. */
export class Figures {
  commands = 0;
  done = 0;
  refused = 0;
  unclear = 0;
  lost = 0;
  stuck = 0;
  slow = 0;
  seconds = 0;

  get pass() {
    return this.commands > 0 && this.unclear + this.lost + this.stuck + this.slow === 0;
  }

  toString() {
    const { commands, done, refused, unclear, lost, stuck, slow, seconds } = this;
    const longest = `longest ${seconds.toFixed(1)} s${slow > 0 ? `, ${slow} too slow` : ""}`;
    return `${commands} commands: ${done} done, ${refused} refused, ${unclear} without path or reason, ${lost} lost, ${stuck} stuck afterwards, ${longest}`;
  }
}

/** @param {string} folder @param {string} backend @param {Fault} fault @param {StoreCommand} command @param {Figures} figures */
export async function tryCommand(folder, backend, fault, command, figures) {
  const { args, next, isRight } = command;
  await fill(folder, backend);
  const before = await stateOf(folder, backend);
  const { status, stdout, stderr, seconds } = await underFault(folder, backend, fault, command);
  const isDone = status === 0;
  /** @param {string} problem */
  const say = (problem) => {
    console.log(`${backend}, ${args.join(" ")}: ${problem}; exit ${status}; ${stderr.trim() || "no error"}`);
    return 1;
  };
  figures.commands += 1;
  figures[isDone ? "done" : "refused"] += 1;
  figures.seconds = Math.max(figures.seconds, seconds);
  if (seconds > (fault.longest ?? Number.POSITIVE_INFINITY)) figures.slow += say(`${seconds.toFixed(1)} s`);
  if (!isDone && !isClear(stderr, folder, fault.reason)) figures.unclear += say("unclear error");
  if (!isDone && isRight !== undefined && fault.isReadable === true) figures.lost += say("no answer");
  if (isDone && isRight?.(stdout) === false) figures.lost += say("wrong answer");
  const after = await stateOf(folder, backend);
  const expected = isDone && next !== undefined ? next(before) : before;
  if (after !== expected) figures.lost += say(`is now ${after}, should be ${expected}`);
  const again = await call(folder, backend, AGAIN);
  const left = readdirSync(placeOf(folder)).filter((name) => /\.(draft|lock)$/.test(name));
  if (again.status !== 0 || left.length > 0) figures.stuck += say(`then: ${again.stderr.trim()} ${left.join(" ")}`);
}

/** @param {string} folder @param {string} backend @param {Fault} fault @param {StoreCommand} command */
async function underFault(folder, backend, { begin, isInside, under = [] }, command) {
  const end = await begin(folder, backend);
  try {
    if (isInside) return await call(folder, backend, command);
    return await run(folder, ["secrets", ...command.args], { input: "new", under });
  } finally {
    await end();
  }
}

/** @param {string} stderr @param {string} folder @param {RegExp} reason */
function isClear(stderr, folder, reason) {
  return (
    /^error: /m.test(stderr) && stderr.includes(placeOf(folder)) && reason.test(stderr) && !/\n\s+at /.test(stderr)
  );
}
