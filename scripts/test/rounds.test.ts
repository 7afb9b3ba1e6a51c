import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { run } from "../run.mjs";

const ROUNDS = resolve("test/faults/support/rounds.mjs");
/** Its standard error is that of the script, for whose end the runner would wait. */
const VICTIM = 'spawn("sleep", ["600"], { stdio: ["ignore", "ignore", "inherit"] });';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rounds-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function runScript(text: string) {
  const path = join(folder, "script.mjs");
  const imports = `import { spawn } from "node:child_process";\nimport { inRound, printRows } from ${JSON.stringify(ROUNDS)};\n`;
  writeFileSync(path, imports + text);
  return run(process.execPath, [path], { env: { ...process.env, FAULTS_SEED: "4711" } });
}

const rowsOf = (stdout: string): unknown => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

it("tells a round that throws, with its seed, and the figures of the others", () => {
  const { ok, stdout } = runScript(`
    let done = 0;
    for (let round = 0; round < 3; round++)
      await inRound(\`round \${round}\`, () => {
        if (round === 1) { ${VICTIM} throw new Error("no keys yet"); }
        done += 1;
      });
    const row = await inRound("D2", async () => ({ id: "D2", figure: "all", pass: true }));
    printRows([{ id: "D1", figure: \`\${done} rounds\`, pass: true }, row, await inRound("D3", () => { throw "a text" })]);
  `);
  expect(ok).toBe(true);
  expect(stdout).toMatch(/^round 1 broke, FAULTS_SEED=4711: Error: no keys yet\n {4}at .*script\.mjs/);
  expect(stdout).toContain("D3 broke, FAULTS_SEED=4711: a text\n");
  expect(rowsOf(stdout)).toEqual([
    { id: "D1", figure: "2 rounds", pass: true },
    { id: "D2", figure: "all", pass: true },
    { id: "script.mjs", figure: "2 broke: round 1, D3; FAULTS_SEED=4711", pass: false },
  ]);
});

it("prints the rows alone where no round has thrown", () => {
  const row = { id: "D1", figure: "2 rounds", pass: true };
  const { stdout } = runScript(`printRows([${JSON.stringify(row)}, [${JSON.stringify(row)}]]);`);
  expect(rowsOf(stdout)).toEqual([row, row]);
});

it.runIf(process.platform === "linux")(
  "ends with the seed and without its processes where something else throws",
  () => {
    const { status, stderr } = runScript(`${VICTIM}\nthrow new Error("broken");`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^script\.mjs ended with 1, FAULTS_SEED=4711\n[\s\S]*Error: broken/);
  },
);
