// @module-tag faults
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

/** Gives the command another clock, which is set back by an hour as soon as there is a file of this name in its folder. */
const CLOCK = `
const { existsSync } = require("node:fs");
const RealDate = Date;
const offset = RealDate.parse(process.env.CLOCK) - RealDate.now();
const now = () => RealDate.now() + offset - (existsSync("set-back") ? 3_600_000 : 0);
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [now()] : args));
  }
  static now() {
    return now();
  }
};`;

const WORKFLOW = `
apiVersion: v1
id: deploy
secrets: [A]
tasks:
  - { id: back, type: core/shell.run, inputs: { command: touch, args: [set-back] }, timeoutSeconds: 60 }
  - { id: say, type: core/console.log, needs: [back], inputs: { message: "value {{ secrets.A }}" } }
`;

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

/** Runs the command at a time, and expects success. */
async function at(time: string, args: readonly string[], input = ""): Promise<string> {
  const preload = join(box.folder, "clock.cjs");
  writeFileSync(preload, CLOCK);
  const env = { CLOCK: time, TZ: "UTC", NODE_OPTIONS: `--require ${preload}` };
  const { code, stdout, stderr } = await box.ak(args, { input, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return stdout + stderr;
}

it.each([
  ["2001-01-01T00:00:00Z", "2040-06-01T00:00:00Z"],
  ["2040-06-01T00:00:00Z", "2001-01-01T00:00:00Z"],
])("D15: what is stored at %s is used, changed, deleted and restored at %s", async (before, after) => {
  await at(before, ["secrets", "set", "A", "--expires-at", "90d"], "v-before");
  expect(await at(after, ["secrets", "get", "A"])).toContain("v-before");
  await at(after, ["secrets", "set", "A"], "v-after");
  expect(await at(after, ["secrets", "versions", "A"])).toMatch(/^2\t/);
  await at(before, ["secrets", "delete", "A", "--force"]);
  await at(before, ["secrets", "restore", "A"]);
  expect(await at(after, ["doctor"])).not.toContain("FAILURE");
});

it("D15: a clock that is set back by an hour during a run changes no state and no duration", async () => {
  await at("2026-01-01T00:00:00Z", ["secrets", "set", "A"], "v-before");
  writeFileSync(join(box.folder, "w.yaml"), WORKFLOW);
  const output = await at("2026-01-01T00:00:00Z", ["run", "w.yaml"]);
  expect(output).toMatch(/^00:[\s\S]*^23:.*value \*\*\*SECRET\*\*\*$/m);
  expect(output).not.toMatch(/-\d+ ms/);
  const [run] = JSON.parse(await at("2026-01-01T00:00:00Z", ["runs", "list", "--json"]));
  expect(run).toMatchObject({ status: "success" });
  expect(run.durationMs).toBeGreaterThanOrEqual(0);
});
