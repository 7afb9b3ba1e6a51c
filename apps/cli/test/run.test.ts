import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const TOKEN = "canary-7f3a9c1e5b8d-token";
const USER = "canary-user-19b4";
const PASSWORD = 'canary "pass" & 77a0';
const BASIC = Buffer.from(`${USER}:${PASSWORD}`).toString("base64");

let server: Server;
let url: string;
let received: string[];
let box: Sandbox;

beforeAll(async () => {
  server = createServer((request, response) => {
    received.push(JSON.stringify(request.headers));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ headers: request.headers, decoded: Buffer.from(BASIC, "base64").toString() }));
  });
  url = `${await listen(server)}/echo`;
  box = createSandbox();
  await box.ak(["secrets", "set", "TOKEN"], { input: TOKEN });
  await box.ak(
    ["secrets", "set", "DB", "--type", "basicAuth", "--field", `username=${USER}`, "--field", "password=-"],
    {
      input: PASSWORD,
    },
  );
});

afterAll(() => {
  server.close();
  box.remove();
});

beforeEach(() => {
  received = [];
});

function write(source: string): void {
  writeFileSync(join(box.folder, "w.yaml"), source);
}

function workflow(message: string, secrets = "[TOKEN, DB]"): string {
  return `apiVersion: v1
id: w
secrets: ${secrets}
inputs: { who: { type: string, default: world } }
tasks:
  - id: fetch
    type: core/http.request
    inputs:
      url: ${url}
      headers: { X-API-Key: "{{ secrets.TOKEN }}" }
      auth: { basic: { username: "{{ secrets.DB.username }}", password: "{{ secrets.DB.password }}" } }
  - id: say
    type: core/console.log
    needs: [fetch]
    inputs: { message: ${message} }
`;
}

describe("run", () => {
  it("sends the real values, and shows none of them, on the terminal, in NDJSON and in the files", async () => {
    write(workflow('"hello {{ inputs.who }}: {{ tasks.fetch.output.body }}"'));
    const plain = await box.ak(["run", "w.yaml", "--input", "who=you"]);
    expect(plain.code).toBe(0);
    const json = await box.ak(["run", "w.yaml", "--json"]);
    expect(received.every((headers) => headers.includes(TOKEN) && headers.includes(BASIC))).toBe(true);
    expect(received).toHaveLength(2);
    const files = readdirSync(box.folder, { recursive: true, encoding: "utf8" })
      .map((file) => join(box.folder, file))
      .filter((file) => statSync(file).isFile() && !file.endsWith("w.yaml"))
      .map((file) => readFileSync(file, "latin1"));
    const outputs = [plain.stdout, plain.stderr, json.stdout, json.stderr, ...files];
    expect(outputs.length).toBeGreaterThan(5);
    for (const canary of [TOKEN, USER, PASSWORD, JSON.stringify(PASSWORD).slice(1, -1), BASIC]) {
      expect(outputs.filter((output) => output.includes(canary))).toEqual([]);
    }
    expect(plain.stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}say hello you: .*"x-api-key":"\*\*\*SECRET\*\*\*"/m);
  });

  it("prints one JSON object a line, the last one with the results", async () => {
    write(workflow('"{{ tasks.fetch.output.status }}"'));
    const { stdout } = await box.ak(["run", "w.yaml", "--json"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual([
      "run.started",
      "task.started",
      "task.finished",
      "task.started",
      "task.log",
      "task.finished",
      "run.finished",
    ]);
    expect(Object.keys(events[4])).toEqual(["time", "level", "event", "execution", "task", "message"]);
    expect(events.at(-1)).toMatchObject({
      status: "success",
      tasks: { fetch: { status: "success", output: { status: 200 } }, say: { status: "success" } },
      masked: { TOKEN: { count: expect.any(Number) }, DB: { count: expect.any(Number) } },
    });
    expect(new Set(events.map(({ execution }) => execution)).size).toBe(1);
  });

  it("fails with a failed task, and with --fail-on-leak where something was masked", async () => {
    write(workflow('"{{ tasks.fetch.output.body }}"'));
    const leak = await box.ak(["run", "w.yaml", "--fail-on-leak"]);
    expect(leak.code).toBe(1);
    expect(leak.stderr).toContain("error: The run would have shown these secrets, which were masked: ");
    write(workflow("x").replace(url, "http://127.0.0.1:1/"));
    const refused = await box.ak(["run", "w.yaml"]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("connection refused (ECONNREFUSED)");
  });

  it.each<[string, string, string, number, string]>([
    ["an undeclared secret", '"{{ secrets.TOKEN }}"', "[DB]", 5, "Secret 'TOKEN' not declared in workflow"],
    ["an empty list", '"x"', "[]", 5, "Secret 'TOKEN' not declared in workflow"],
    ["missing secrets", '"x"', "[TOKEN, DB, GONE, AWAY]", 3, "Missing secrets: GONE, AWAY"],
    [
      "a missing field",
      '"{{ secrets.DB.token }}"',
      "[TOKEN, DB]",
      3,
      "Field 'token' not found in secret 'DB' (fields: username, password)",
    ],
    [
      "a malformed reference",
      '"{{ secrets. }}"',
      "[TOKEN, DB]",
      5,
      "Malformed reference 'secrets.': expected secrets.NAME or secrets.NAME.field",
    ],
    [
      "an unclosed reference",
      '"{{ secrets.TOKEN"',
      "[TOKEN, DB]",
      5,
      "Unclosed reference '{{ secrets.TOKEN': expected }}",
    ],
    ["secrets that are no list", '"x"', "TOKEN", 5, "'secrets' must be a list"],
  ])("stops at %s before the first task", async (_, message, secrets, code, error) => {
    write(workflow(message, secrets));
    const result = await box.ak(["run", "w.yaml"]);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr.split("\n")[0]).toBe(`error: ${error}`);
    expect(received).toEqual([]);
    const check = await box.ak(["check", "w.yaml"]);
    expect(check.code).toBe(1);
    expect(check.stdout).toContain(error);
    const json = await box.ak(["run", "w.yaml", "--json"]);
    expect(JSON.parse(json.stderr).error).toMatchObject({ message: error, code: expect.stringMatching(/^[A-Z_]+$/) });
  });

  it("takes declared secrets from the environment where the store has none, unless --no-env", async () => {
    write(
      'apiVersion: v1\nid: w\nsecrets: [TOKEN, EXTRA]\ntasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.EXTRA }} {{ secrets.TOKEN }}" } }]\n',
    );
    const env = { EXTRA: "canary-from-env", TOKEN: "not-this-one" };
    const { code, stdout } = await box.ak(["run", "w.yaml", "--json"], { env });
    expect(code).toBe(0);
    expect(stdout).not.toContain("canary");
    expect(stdout).not.toContain("not-this-one");
    expect(stdout).toContain('"message":"***SECRET*** ***SECRET***"');
    expect(await box.ak(["run", "w.yaml", "--no-env"], { env })).toMatchObject({ code: 3 });
  });

  it("shows control characters and marks further lines, so that no message passes for a record", async () => {
    write(workflow('"one\\n12:00:00.000 INFO  - forged\\u001b[31m red\u202e\\r\\nthree\\u2028four"'));
    const { stdout } = await box.ak(["run", "w.yaml"]);
    expect(stdout).not.toContain("\u001b");
    expect(stdout).toContain(
      "\n             | 12:00:00.000 INFO  - forged\\x1b[31m red\\u202e\n             | three\n             | four\n",
    );
  });

  it("says where a file cannot be read", async () => {
    expect(await box.ak(["run", "gone.yaml"])).toMatchObject({
      code: 3,
      stderr: "error: The workflow file gone.yaml cannot be read (ENOENT)\n",
    });
  });

  it("stops with 130 when it is interrupted", async () => {
    const { spawn } = await import("node:child_process");
    const { CLI } = await import("./run-cli.ts");
    const hanging = createServer(() => undefined);
    write(workflow("x").replace(url, await listen(hanging)));
    const child = spawn(process.execPath, [CLI, "run", "w.yaml"], {
      cwd: box.folder,
      env: { HOME: join(box.folder, "home") },
    });
    hanging.once("request", () => child.kill("SIGINT"));
    const code = await new Promise((resolve) => child.on("close", resolve));
    hanging.closeAllConnections();
    hanging.close();
    expect(code).toBe(130);
  });
});

describe("check and export", () => {
  it("say ok, and list all problems of all files", async () => {
    write(workflow('"{{ inputs.who }}"'));
    writeFileSync(join(box.folder, "bad.yaml"), workflow('"{{ secrets.NO }} {{ nope }} {{ inputs.who }}"'));
    expect(await box.ak(["check", "w.yaml"])).toEqual({ code: 0, stdout: "w.yaml: ok\n", stderr: "" });
    const { code, stdout } = await box.ak(["check", "w.yaml", "bad.yaml", "gone.yaml"]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      "w.yaml: ok\nbad.yaml: 2 problems\nerror: Secret 'NO' not declared in workflow\n  --> bad.yaml:15:25\n",
    );
    expect(stdout).toContain("gone.yaml: 1 problem\n");
    const json = JSON.parse((await box.ak(["check", "w.yaml", "bad.yaml", "--json"])).stdout);
    expect(json).toMatchObject([
      { file: "w.yaml", problems: [] },
      {
        file: "bad.yaml",
        problems: [{ code: "SECRET_NOT_DECLARED", position: { line: 15, column: 25 } }, { code: "REFERENCE_INVALID" }],
      },
    ]);
  });

  it("KP8: fail for warnings with --strict only, and show each hint under its problem", async () => {
    write(
      "apiVersion: v1\nid: w\nsecrets: [TOKEN]\ntasks: [{ id: a, type: core/console.log, inputs: { message: x } }]\n",
    );
    const expected =
      "w.yaml: ok, 1 warning\nwarning: Secret 'TOKEN' is declared and not used\n --> w.yaml:3:11\n3 | secrets: [TOKEN]\n  |           ^^^^^\nhint: Remove it, or write a reference to it.\n";
    expect(await box.ak(["check", "w.yaml"])).toEqual({ code: 0, stdout: expected, stderr: "" });
    expect(await box.ak(["check", "w.yaml", "--strict"])).toEqual({ code: 1, stdout: expected, stderr: "" });
  });

  it("say that a secret has expired", async () => {
    write(workflow("x"));
    await box.ak(["secrets", "set", "TOKEN", "--expires-at", "2020-01-01"], { input: TOKEN });
    expect(await box.ak(["check", "w.yaml"])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("Secret 'TOKEN' expired at 2020-01-01T00:00:00.000Z"),
    });
    const { code, stdout } = await box.ak(["run", "w.yaml"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/WARN {2}- Secret 'TOKEN' expired at[\s\S]*fetch succeeded/);
    await box.ak(["secrets", "set", "TOKEN"], { input: TOKEN });
  });

  it("print a workflow that still runs, with what it needs, and no value", async () => {
    write(workflow('"{{ secrets.DB.username }}"', "[TOKEN, DB, LATER]"));
    const { stdout } = await box.ak(["export", "w.yaml"]);
    expect(stdout).toMatch(
      /^# Needs these secrets:\n# {3}TOKEN \(apiKey\)\n# {3}DB \(basicAuth, fields: password, username\)\n# {3}LATER \(not stored here\)\napiVersion: v1\n/,
    );
    expect(stdout).not.toContain("canary");
    writeFileSync(join(box.folder, "again.yaml"), stdout);
    expect((await box.ak(["export", "again.yaml", "--json"])).stdout).toContain(
      '"secrets":[{"name":"TOKEN","type":"apiKey","fields":[]',
    );
  });

  it("KM4: takes secret inputs from a file or, with a warning, from --input, and keeps them out of everything", async () => {
    write(`apiVersion: v1
id: w
inputs: { password: { type: string, secret: true } }
tasks:
  - { id: say, type: core/console.log, inputs: { message: "with {{ inputs.password }}" } }
`);
    const value = "hunter2-pässword-9";
    const file = join(box.folder, "password.txt");
    writeFileSync(file, `${value}\n`);
    const fromFile = await box.ak(["run", "w.yaml", "--json", "--fail-on-leak"], { env: { PASSWORD_FILE: file } });
    const given = await box.ak(["run", "w.yaml", "--input", `password=${value}`]);
    expect([fromFile.code, fromFile.stderr, given.code]).toEqual([0, "", 0]);
    expect(given.stderr).toMatch(/^warning: input 'password' is secret: the process list and the shell history/);
    expect(given.stdout).toContain("say with ***SECRET***");
    const history = readFileSync(join(box.folder, ".workflow/runs.db"), "latin1");
    for (const text of [fromFile.stdout, given.stdout, given.stderr, history]) expect(text).not.toContain("hunter2");
    const missing = await box.ak(["run", "w.yaml"]);
    expect([missing.code, missing.stderr]).toEqual([
      5,
      "error: Input 'password' is missing\nhint: Name a file with its value in the variable PASSWORD_FILE.\n",
    ]);
  });
});
