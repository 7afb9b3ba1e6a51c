import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { inTerminal } from "./in-terminal.ts";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

/** Runs the command in a shell, as `ak`. */
async function shell(script: string, { folder } = box): Promise<{ stdout: string; stderr: string }> {
  const child = spawn("bash", ["-c", `ak() { '${process.execPath}' '${CLI}' "$@"; }; ${script}`], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: join(folder, "home") },
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (texts.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (texts.stderr += chunk.toString()));
  await once(child, "close");
  return texts;
}

function writeWorkflow(tasks: readonly string[], { folder } = box): void {
  writeFileSync(
    join(folder, "w.yaml"),
    `apiVersion: v1\nid: w\ntasks:\n${tasks.map((task) => `  - ${task}\n`).join("")}`,
  );
}

function log(id: string, message: string, needs = ""): string {
  return `{ id: ${id}, type: core/console.log, needs: [${needs}], inputs: { message: "${message}" } }`;
}

const LOST = /^warning: the output could not be written: .*\. The command continues without it$/m;

describe("K6: a command that works", { tags: ["faults"] }, () => {
  it.each<[string, string, RegExp | null]>([
    ["its reader has left", "ak run w.yaml | (head -1; leave); code=$PIPESTATUS", LOST],
    ["its reader has left NDJSON", "ak run w.yaml --json | leave; code=$PIPESTATUS", LOST],
    ["the disk is full", "ak run w.yaml > /dev/full; code=$?", LOST],
    ["standard output cannot be written", "ak run w.yaml 1< /dev/null; code=$?", LOST],
    ["standard output is closed", "ak run w.yaml >&-; code=$?", null],
    ["standard error is full", "ak run w.yaml 2> /dev/full >/dev/null; code=$?", null],
    ["both have no reader", "ak run w.yaml 2>&1 | leave; code=$PIPESTATUS", null],
  ])("goes on where %s, and its exit code is that of the work", async (_, command, told) => {
    // The second task waits until the reader has left, where there is one.
    const wait = `{ id: b, type: core/shell.run, needs: [a], inputs: { script: "until test -e left; do sleep 0.02; done" } }`;
    writeWorkflow([log("a", "one"), wait, log("c", "three", "b")]);
    if (!command.includes("leave")) writeFileSync(join(box.folder, "left"), "");
    const { stdout, stderr } = await shell(`leave() { exec <&-; touch left; }; ${command}; echo "exit $code"`);
    expect(stdout).toMatch(/exit 0\n$/);
    if (told === null) expect(stderr).toBe("");
    else expect(stderr.match(new RegExp(told, "gm"))).toHaveLength(1);
    const [run] = JSON.parse((await box.ak(["runs", "list", "--json"])).stdout);
    expect(run).toMatchObject({ status: "success" });
    expect((await box.ak(["runs", "show", run.execution])).stdout).toMatch(/c three[\s\S]*run succeeded/);
  });

  it.each([
    "set A",
    "edit A --tag x",
    "rename A B",
    "delete A --force",
    "rotate-key",
    "import --from dotenv --file env",
  ])("secrets %s", async (command) => {
    await box.ak(["secrets", "set", "A"], { input: "abcd" });
    writeFileSync(join(box.folder, "env"), "NEW=value1234\n");
    const { stdout, stderr } = await shell(`echo efgh | ak secrets ${command} --json > /dev/full; echo "exit $?"`);
    expect(stdout).toBe("exit 0\n");
    expect(stderr).toMatch(LOST);
  });
});

describe("K6: a command whose product is what it prints", { tags: ["faults"] }, () => {
  const COMMANDS = [
    "secrets get A",
    "secrets get A --json",
    "secrets list",
    "secrets describe A",
    "secrets versions A",
    "check w.yaml",
    "export w.yaml",
    "doctor",
    "runs list",
    "keys list",
    "--help",
    "--version",
  ];

  let used: Sandbox;

  beforeAll(async () => {
    used = createSandbox();
    writeWorkflow([log("a", "one")], used);
    await used.ak(["secrets", "set", "A"], { input: "abcd" });
    await used.ak(["run", "w.yaml"]);
  });

  afterAll(() => used.remove());

  it.each(COMMANDS)(
    "%s ends quietly where its reader has left, and fails where nothing can be written",
    async (command) => {
      const left = await shell(`{ sleep 0.1; ak ${command} -q; } | true; echo "exit $PIPESTATUS"`, used);
      expect(left).toEqual({ stdout: "exit 0\n", stderr: "" });
      const full = await shell(`ak ${command} -q > /dev/full; echo "exit $?"`, used);
      expect(full.stdout).toBe("exit 1\n");
      expect(full.stderr).toContain("The output could not be written: no space left on device (ENOSPC)");
    },
  );

  it("loses nothing of 4 MB for a slow reader", async () => {
    const value = "0123456789abcdef".repeat(250_000);
    await box.ak(["secrets", "set", "A"], { input: value });
    const { stdout } = await shell('ak secrets get A -q | (sleep 1; cat); echo "exit $PIPESTATUS"');
    expect(stdout.length).toBe(value.length + "exit 0\n".length);
    expect(stdout.startsWith(value)).toBe(true);
  });
});

describe("K7: a run whose reader is slow", { tags: ["faults"] }, () => {
  it("goes on, with its output in order and whole", async () => {
    const long = "x".repeat(100_000);
    writeWorkflow([log("a", long), log("b", long, "a"), log("c", long, "b")]);
    const reading = shell(
      'ak run w.yaml --json | (until test -e read; do sleep 0.02; done; cat); echo "exit $PIPESTATUS"',
    );
    // It ends while nothing is read.
    await expect.poll(async () => (await box.ak(["runs", "list", "--json"])).stdout).toContain('"success"');
    writeFileSync(join(box.folder, "read"), "");
    const { stdout, stderr } = await reading;
    const lines = stdout.trimEnd().split("\n");
    expect(lines.at(-1)).toBe("exit 0");
    const events = lines.slice(0, -1).map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: "run.finished", status: "success" });
    expect(stderr).toBe("");
  });

  it("waits for it at the end until a signal comes", async () => {
    writeWorkflow([log("a", "x".repeat(900_000))]);
    const child = spawn(process.execPath, [CLI, "run", "w.yaml"], {
      cwd: box.folder,
      env: { PATH: process.env["PATH"], HOME: join(box.folder, "home") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let runs = "[]";
    while (!runs.includes('"success"')) runs = (await box.ak(["runs", "list", "--json"])).stdout || "[]";
    expect(child.exitCode).toBeNull();
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([143, null]);
    child.stdout.destroy();
  });

  it("goes on beside a terminal that is stopped", async () => {
    const last = "{ id: c, type: core/shell.run, needs: [b], inputs: { command: touch, args: [reached] } }";
    writeWorkflow([log("a", "x".repeat(20_000)), log("b", "end", "a"), last]);
    const steps = [{ send: "\u0013" }, { waitForFile: "reached" }, { send: "\u0011" }, { wait: "run succeeded" }];
    const { code, restored } = await inTerminal(box, ["run", "w.yaml"], steps);
    expect({ code, restored }).toEqual({ code: 0, restored: true });
  });
});

describe("K9: standard input", () => {
  it.each<[string, readonly string[], object]>([
    ["VALUE -", ["-"], { value: "from stdin" }],
    ["--from-file -", ["--from-file", "-"], { value: "from stdin" }],
    ["--field k=-", ["--field", "k=-"], { k: "from stdin" }],
    ["--field k=@FILE", ["--field", "k=@file"], { k: "from file" }],
    ["--field k=@@text", ["--field", "k=@@text"], { k: "@text" }],
    ["--field k=@@ and k=-", ["--field", "k=@@", "--field", "l=-"], { k: "@", l: "from stdin" }],
  ])("%s", async (_, args, fields) => {
    writeFileSync(join(box.folder, "file"), "from file\n");
    expect(await box.ak(["secrets", "set", "A", ...args], { input: "from stdin\n" })).toMatchObject({ code: 0 });
    expect(JSON.parse((await box.ak(["secrets", "get", "A", "--json"])).stdout).fields).toEqual(fields);
  });

  it("is read by one field only, and nothing is stored otherwise", async () => {
    const { code, stderr } = await box.ak(["secrets", "set", "A", "--field", "a=-", "--field", "b=-"], { input: "x" });
    expect(code).toBe(2);
    expect(stderr).toContain("error: Only one field can be read from standard input, not a and b");
    expect((await box.ak(["secrets", "list"])).stdout).toBe("");
  });

  it.each<[readonly string[], string | null]>([
    [["value1234"], "a value"],
    [["--field", "k=value1234"], "the value of --field k"],
    [["--field", "k=value1234", "--public-field", "k"], null],
    [["--type", "basicAuth", "--field", "username=reporting", "--field", "password=-"], null],
    [
      ["--type", "basicAuth", "--field", "username=reporting", "--field", "password=value1234"],
      "the value of --field password",
    ],
  ])("is better than the command line: %j", async (args, shown) => {
    const { stderr } = await box.ak(["secrets", "set", "A", ...args, "--quiet"], { input: "from stdin" });
    const warning = `warning: ${shown} on the command line is visible in the process list and the shell history\n`;
    expect(stderr).toBe(shown === null ? "" : warning);
  });

  it("is described once it is stored: lines, characters, white space at the ends", async () => {
    const { stderr } = await box.ak(["secrets", "set", "A"], { input: " one\ntwö👩‍🚀\t\n" });
    expect(stderr).toContain("note: field value of 'A' begins with a space and ends with a tab\n");
    expect(stderr).toContain("Secret 'A' stored (apiKey, version 1): 2 lines, 12 characters\n");
  });

  it("is described by the parts of it that are masked on their own", async () => {
    const { stderr } = await box.ak(["secrets", "set", "A"], {
      input: "postgres://app:S3cretPw99@db.example.com/main",
    });
    expect(stderr).toContain("note: in field 'value' of 'A' these parts are masked on their own, too: 1 password");
    expect(stderr).not.toContain("S3cretPw99");
  });
});

describe("K23: what nobody has caught", () => {
  it.each([
    ["an exception", "throw new Error('canary-9f31')"],
    ["a rejection", "Promise.reject({ token: 'canary-9f31' })"],
  ])("is told without what it holds: %s", async (_, failure) => {
    const code = `const wait = setInterval(() => { if (process.listenerCount("uncaughtException") === 0) return; clearInterval(wait); ${failure} }, 1)`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
    const { code: exit, stderr } = await box.start(["secrets", "list"], { env }).ended;
    expect(exit).toBe(1);
    expect(stderr).toMatch(/error: Internal error/);
    expect(stderr).not.toContain("canary");
  });

  it("is told, too, where a command waits for what can no longer come", async () => {
    const code = `import { Readable } from "node:stream";
      Object.defineProperty(process, "stdin", { value: new Readable({ read() {} }) });`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
    const { code: exit, stderr } = await box.start(["secrets", "set", "A"], { env }).ended;
    expect(exit).toBe(1);
    expect(stderr).toContain("error: Internal error (there was nothing left to wait for)");
  });
});
