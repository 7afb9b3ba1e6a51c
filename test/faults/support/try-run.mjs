import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fill, run } from "./installation.mjs";

/** @typedef {import("./disk-faults.mjs").Fault} Fault */

const WORKFLOW = `apiVersion: v1
id: w
secrets: [A]
tasks:
  - { id: say, type: core/console.log, inputs: { message: "value {{ secrets.A }}" } }
`;

/**
 * Runs a workflow while its history cannot be written, and again when it can.
 *
 * @param {string} folder
 * @param {Fault} fault
 * @param {boolean} hasHistory Whether there is one from before.
 * @returns {Promise<string[]>} What was wrong.
 */
export async function tryRun(folder, fault, hasHistory) {
  writeFileSync(join(folder, "w.yaml"), WORKFLOW);
  await fill(folder, "sqlite");
  if (hasHistory) await run(folder, ["run", "w.yaml"]);
  const during = await underFault(folder, fault);
  const after = await run(folder, ["run", "w.yaml"]);
  const listed = await run(folder, ["runs", "list", "--json"]);
  const recorded = [hasHistory, !isWarned(during.stderr, fault), true].filter(Boolean).length;
  const finished = listed.stdout.match(/"status":"success"/g)?.length ?? 0;
  return [
    ...(hasRun(during) ? [] : [`did not run: ${during.stderr}`]),
    ...(during.stderr === "" || isWarned(during.stderr, fault) ? [] : [`unclear: ${during.stderr}`]),
    ...(hasRun(after) && after.stderr === "" ? [] : [`afterwards: ${after.stderr}`]),
    ...(finished === recorded ? [] : [`${finished} of ${recorded} runs are in the history: ${listed.stderr}`]),
  ];
}

/** @param {string} folder @param {Fault} fault */
async function underFault(folder, { begin, under = [] }) {
  const end = await begin(folder, "sqlite");
  try {
    return await run(folder, ["run", "w.yaml"], { under });
  } finally {
    await end();
  }
}

/** @param {import("./installation.mjs").Outcome} outcome */
function hasRun({ status, stdout }) {
  return status === 0 && stdout.includes("say value ***SECRET***") && stdout.includes("run succeeded");
}

/** Is it said once? @param {string} stderr @param {Fault} fault */
function isWarned(stderr, { reason }) {
  const lines = stderr.trim().split("\n");
  return (
    lines.length === 1 &&
    lines[0]?.startsWith("warning: from here on this run is not recorded: ") &&
    reason.test(stderr)
  );
}
