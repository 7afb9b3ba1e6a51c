import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runFaults } from "../faults.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "faults-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function runScripts(scripts: Record<string, string>, { short = false, ci = false, limitMs = 0 } = {}) {
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, name), text);
  const lines: string[] = [];
  const ok = runFaults(folder, { short, ci, limitMs, print: (line) => lines.push(line) });
  return { ok, lines };
}

const print = (rows: unknown) => `console.log("noise");\nconsole.log(${JSON.stringify(JSON.stringify(rows))});\n`;
const good = { id: "D1", figure: "0 lost", pass: true };
const lacking = { id: "D2", figure: "not run", missing: "strace" };

it("prints each row of each script, in the order of their names", () => {
  const rows = '[{"id":"P1","figure":"loose 0","pass":true}]';
  const { ok, lines } = runScripts({ "b.mjs": print([good]), "a.sh": `echo '${rows}'\n`, "README.md": "" });
  expect(ok).toBe(true);
  expect(lines).toEqual([
    "P1       passed   loose 0",
    "D1       passed   0 lost",
    "2 fault scripts: 2 passed, 0 failed, 0 not run",
  ]);
});

it("hands on --short", () => {
  const script = 'console.log(JSON.stringify([{ id: "D1", figure: process.argv[2] ?? "long", pass: true }]));\n';
  expect(runScripts({ "a.mjs": script }).lines[0]).toBe("D1       passed   long");
  expect(runScripts({ "a.mjs": script }, { short: true }).lines[0]).toBe("D1       passed   --short");
});

it("fails where there is no script", () => {
  expect(runScripts({})).toEqual({ ok: false, lines: ["0 fault scripts: 0 passed, 0 failed, 0 not run"] });
});

it("counts a lacking tool as not run, and in CI as failed", () => {
  const scripts = { "a.mjs": print([good, lacking]) };
  expect(runScripts(scripts)).toMatchObject({ ok: true, lines: { 1: "D2       not run  not run (needs strace)" } });
  expect(runScripts(scripts, { ci: true })).toMatchObject({
    ok: false,
    lines: { 1: "D2       failed   not run (needs strace)" },
  });
});

it("kills a script that does not end, names it, and goes on to the next", () => {
  const scripts = { "a.mjs": `console.log("so far");setInterval(() => undefined, 1000);\n`, "b.mjs": print([good]) };
  const { ok, lines } = runScripts(scripts, { limitMs: 2000 });
  expect(ok).toBe(false);
  expect(lines[0]).toMatch(/^a\.mjs {4}failed {3}it ended with 1\nso far\n.*(ETIMEDOUT|SIGKILL)/s);
  expect(lines[1]).toBe("D1       passed   0 lost");
});

it("fails where nothing was run", () => {
  expect(runScripts({ "a.mjs": print([lacking]) }).ok).toBe(false);
});

it.each([
  ["a failed row", print([good, { ...good, pass: false }])],
  ["no output", ""],
  ["a last line that is no JSON", `${print([good])}console.log("done");\n`],
  ["no rows", print([])],
  ["a row without a verdict", print([{ id: "D1", figure: "0 lost" }])],
  ["a row with two verdicts", print([{ ...good, missing: "strace" }])],
  ["a row that is no object", print([null])],
  ["an exit code after good rows", `${print([good])}process.exit(3);\n`],
])("fails for a script with %s", (_, script) => {
  const { ok, lines } = runScripts({ "a.mjs": script });
  expect(ok).toBe(false);
  expect(lines.at(-1)).toMatch(/^1 fault scripts: \d passed, 1 failed, 0 not run$/);
});

it("each script has a row in the README of the scripts", () => {
  const scripts = readdirSync("test/faults").filter((name) => /\.(mjs|sh)$/.test(name));
  const rows = readFileSync("test/faults/README.md", "utf8").matchAll(/^\| `([a-z-]+\.(?:mjs|sh))` \|/gm);
  expect([...rows].map(([, name]) => name)).toEqual(scripts.toSorted());
});
