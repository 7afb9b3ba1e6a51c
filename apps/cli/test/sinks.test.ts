import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const REPOSITORY = new URL("../../../", import.meta.url);

/** All that can write to a terminal or a file. A new way out of the program has to be added here, and pass what is below. */
const SINKS: Readonly<Record<string, string>> = {
  "apps/cli/src/commands/plugin-init.ts": "the files of a new plugin, which have no secret",
  "apps/cli/src/commands/secrets-adopt.ts": "a workflow file, with references instead of values",
  "apps/cli/src/compile-cache.ts": "compiled code of the command itself",
  "apps/cli/src/output/terminal.ts": "everything that a command prints",
  "packages/engine/src/plugin-host/plugin-process.ts": "nothing: it keeps a debugger from being opened in this process",
  "packages/engine/src/run/process-output.ts": "what plugins print, masked",
  "packages/engine/src/run/task-runner.ts": "that an action has failed after its run, without what it says",
  "packages/plugin-sdk/src/host/child.ts": "what a plugin in a process of its own tells the engine, which masks it",
  "packages/plugin-sdk/src/testing/expect-no-leak.ts": "what an action prints in a test of its author",
  "packages/private-files/src/streamed-file.ts": "encrypted backups",
  "packages/private-files/src/temporary-file.ts": "keys, encrypted stores and their backups",
  "packages/runs/src/cancel-run.ts": "that a run is cancelled, and the events of one that had not begun",
  "packages/runs/src/claims.ts": "keys of runs, and times of schedules",
  "packages/runs/src/kept.ts": "encrypted values of runs that have not succeeded",
  "packages/runs/src/queued-runs.ts": "which runs wait to start, and encrypted what they are started with",
  "packages/runs/src/recorded-events.ts": "events of runs, from behind the redacting sink",
  "packages/runs/src/recorder.ts": "the beginning of a run",
  "packages/runs/src/schema.ts": "the rows of a run history, into the tables of a newer version",
  "packages/runs/src/sqlite-ledger.ts": "runs, and the states and masked errors of their tasks",
  "packages/runs/src/task-rows.ts": "the tasks of runs and what they need, without their inputs",
  "packages/secrets-store-sqlite/src/statements.ts": "encrypted secrets",
  "packages/secrets-store-sqlite/src/version-1.ts":
    "encrypted secrets of a version 1 store, into the tables of this one",
  "packages/secrets/src/access/audit-rows.ts": "records of the audit log, which have no value",
  "packages/secrets/src/access/token-rows.ts": "hashes of tokens, their names and roles",
  "packages/sqlite/src/node-sqlite.ts":
    "nothing: it keeps a warning of Node.js from being printed while node:sqlite is loaded",
  "packages/test-kit/src/child-process.ts": "scripts of tests, compiled",
  "packages/test-kit/src/plugin-sdk.ts": "what planted leaks of tests print",
};
const WRITES =
  /\bINSERT (?:OR REPLACE )?INTO\b|process\.(stdout|stderr)\b(?!\.columns)|\bprocess\[|\bconsole\.(log|error|warn|info|debug|table|dir|trace)\(|\b(writeFile|appendFile|writeSync|createWriteStream|writeFileSync|appendFileSync|writev)\b|process\.emitWarning/;

function sourceFiles(): string[] {
  return ["apps", "packages"].flatMap((top) =>
    readdirSync(new URL(top, REPOSITORY)).flatMap((name) =>
      readdirSync(new URL(`${top}/${name}/src`, REPOSITORY), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => `${top}/${name}/src/${file}`),
    ),
  );
}

function codeOf(file: string): string {
  return readFileSync(new URL(file, REPOSITORY), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

describe("the ways out of the program", () => {
  it("are the ones that are listed, and no others", () => {
    const files = sourceFiles();
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => WRITES.test(codeOf(file))).sort()).toEqual(Object.keys(SINKS));
  });
});

/** A value with everything in it that is written otherwise in one form or another, new for each run of this test. */
const CANARY = `cän4ry "q" & <t> 'a' $x \\ /${randomBytes(24).toString("base64url")}=+`;
const bytes = Buffer.from(CANARY);
const wrapped = (text: string, width: number) => text.match(new RegExp(`.{1,${width}}`, "g"))?.join("\n") ?? "";

const percent = encodeURIComponent(CANARY);
const html = [/&/g, /</g, />/g, /"/g, /'/g].reduce(
  (text, unit, index) => text.replace(unit, ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"][index] ?? ""),
  CANARY,
);

/** The canary as other programs write it. None of these comes from the masker. */
const FORMS: Readonly<Record<string, string>> = {
  value: CANARY,
  json: JSON.stringify(CANARY),
  nested: JSON.stringify(JSON.stringify(CANARY)),
  ascii: JSON.stringify(CANARY).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  percent,
  lower: percent.replace(/%../g, (code) => code.toLowerCase()),
  form: new URLSearchParams({ q: CANARY }).toString(),
  base64: bytes.toString("base64"),
  shifted: Buffer.concat([Buffer.from("x"), bytes, Buffer.from("tail")]).toString("base64"),
  again: Buffer.concat([Buffer.from("xy"), bytes, Buffer.from("tail")]).toString("base64"),
  url: bytes.toString("base64url"),
  wrapped64: wrapped(bytes.toString("base64"), 64),
  wrapped76: wrapped(bytes.toString("base64"), 76),
  hex: bytes.toString("hex"),
  upper: bytes.toString("hex").toUpperCase(),
  html,
  shell: `'${CANARY.replaceAll("'", "'\\''")}'`,
};
const ANSI = `${CANARY.slice(0, 9)}\u001b[31m${CANARY.slice(9)}\u001b[0m`;

/** Long enough pieces of the canary that no output may hold, in the forms that have them. */
const TRACES = [
  CANARY.slice(-14),
  CANARY.slice(-14, -2),
  encodeURIComponent(CANARY).slice(0, 16),
  Buffer.from(CANARY.slice(-14)).toString("hex"),
  Buffer.from(CANARY.slice(-14)).toString("hex").toUpperCase(),
  ...[0, 1, 2].map((offset) =>
    bytes
      .subarray(bytes.length - 15 + offset, bytes.length - 3 + offset)
      .toString("base64")
      .slice(0, 16),
  ),
];

let server: Server;
let url: string;
let box: Sandbox;
let received = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (Buffer.from(String(request.headers["x-key"]), "base64url").equals(bytes)) received += 1;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ forms: FORMS, ansi: ANSI }));
  });
  url = `${await listen(server)}/forms`;
});

afterAll(() => server.close());

beforeEach(async () => {
  received = 0;
  box = createSandbox();
  await box.ak(["secrets", "set", "CANARY"], { input: CANARY });
  await box.ak(["secrets", "set", "HEADER"], { input: bytes.toString("base64url") });
});

afterEach(() => box.remove());

const WORKFLOW = (place: string) => `apiVersion: v1
id: w
secrets: [CANARY, HEADER]
tasks:
  - { id: call, type: core/http.request, inputs: { url: "${place}", headers: { X-Key: "{{ secrets.HEADER }}" } } }
  - { id: whole, type: core/console.log, needs: [call], inputs: { message: "{{ tasks.call.output.body.forms }}" } }
${Object.keys(FORMS)
  .map(
    (form) =>
      `  - { id: ${form}, type: core/console.log, needs: [call], inputs: { level: warn, message: "${form}: {{ tasks.call.output.body.forms.${form} }}" } }\n`,
  )
  .join("")}
  - { id: ansi, type: core/console.log, needs: [call], inputs: { message: "ansi: {{ tasks.call.output.body.ansi }}" } }
  - { id: refused, continueOnError: true, type: core/http.get, inputs: { url: "http://127.0.0.1:1/{{ secrets.HEADER }}" }, retry: { max: 1, backoffSeconds: 0 } }
  - { id: invalid, continueOnError: true, type: core/http.get, inputs: { url: "{{ secrets.CANARY }}" } }
  - { id: header, type: core/http.get, needs: [whole, ansi, refused, invalid, ${Object.keys(FORMS).join(", ")}], inputs: { url: "${place}", headers: { X-Key: "{{ secrets.CANARY }}\\r\\nX: 1" } } }
`;

describe.each<[string, readonly string[], NodeJS.ProcessEnv]>([
  ["the terminal", [], {}],
  ["NDJSON", ["--json"], {}],
  ["standard error", ["--fail-on-leak"], {}],
  ["traces", [], { AUTOKESTRA_DEBUG: "1" }],
  ["traces of NDJSON", ["--json", "--fail-on-leak"], { AUTOKESTRA_DEBUG: "1" }],
])("a canary in every form", (name, args, env) => {
  it(`leaves no trace in ${name}, in the run history, nor in any file`, async () => {
    writeFileSync(join(box.folder, "w.yaml"), WORKFLOW(url));
    const { stdout, stderr, code } = await box.ak(["run", "w.yaml", ...args], { env });
    expect({ code, received }).toEqual({ code: 1, received: 1 });
    const [run] = JSON.parse((await box.ak(["runs", "list", "--json"])).stdout);
    const shown = await box.ak(["runs", "show", run.execution, "--json"]);
    const secrets = [["--secrets"], ["--secrets", "--json"]].map(async (more) => {
      return (await box.ak(["runs", "show", run.execution, ...more])).stdout;
    });
    const graphs = ["mermaid", "svg"].map(async (format) => {
      return (await box.ak(["check", "w.yaml", "--graph", format])).stdout;
    });
    const pictures = await Promise.all([...secrets, ...graphs]);
    expect(pictures.filter((text) => text === "")).toEqual([]);
    for (const text of [stdout, shown.stdout]) {
      for (const form of [...Object.keys(FORMS), "ansi"]) expect(text).toContain(`${form}: `);
    }
    const files = readdirSync(box.folder, { recursive: true, encoding: "utf8" })
      .map((file) => join(box.folder, file))
      .filter((file) => statSync(file).isFile() && !file.endsWith("w.yaml"))
      .map((file) => readFileSync(file, "utf8"));
    const lines = [stdout, stderr, shown.stdout, ...pictures, ...files].flatMap((text) => text.split("\n"));
    const traces = [...TRACES, ...Object.values(FORMS)];
    expect(lines.filter((line) => traces.some((trace) => line.includes(trace)))).toEqual([]);
  });
});
