import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Log } from "sarif";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inTerminal } from "./in-terminal.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
const FILE = `# who deploys
apiVersion: v1
id: deploy
tasks:
  - id: fetch
    type: core/http.get # the list
    inputs: { url: "https://api.example.com", auth: { bearer: ${TOKEN} } }
`;
const ADOPTED = FILE.replace("id: deploy\n", "id: deploy\nsecrets: [FETCH_BEARER]\n").replace(
  TOKEN,
  '"{{ secrets.FETCH_BEARER }}"',
);

let box: Sandbox;
let path: string;

beforeEach(() => {
  box = createSandbox();
  path = join(box.folder, "deploy.yaml");
  writeFileSync(path, FILE);
});
afterEach(() => box.remove());

const read = () => readFileSync(path, "utf8");

describe("secrets adopt", () => {
  it("shows the change, stores the value and writes the file, which then has no finding", async () => {
    chmodSync(path, 0o640);
    const { code, stdout, stderr } = await box.ak(["secrets", "adopt", "deploy.yaml", "--force"]);
    expect({ code, text: read(), mode: statSync(path).mode & 0o777 }).toEqual({ code: 0, text: ADOPTED, mode: 0o640 });
    expect(stdout).toContain(`-    inputs: { url: "https://api.example.com", auth: { bearer: "***SECRET***" } }\n+`);
    expect(stderr).toContain("Stored: FETCH_BEARER");
    expect(stdout + stderr).not.toContain(TOKEN);
    expect((await box.ak(["secrets", "get", "FETCH_BEARER", "--quiet"])).stdout).toBe(TOKEN);
    expect((await box.ak(["check", "deploy.yaml", "--strict"])).code).toBe(0);
    expect(readdirSync(box.folder).filter((name) => name.includes("draft"))).toEqual([]);
  });

  it("changes nothing with --dry-run, and makes no store", async () => {
    const { code, stdout, stderr } = await box.ak(["secrets", "adopt", "deploy.yaml", "--dry-run"]);
    expect({ code, stderr, text: read() }).toEqual({ code: 0, stderr: "Nothing was stored or changed\n", text: FILE });
    expect(stdout).toContain("+secrets: [FETCH_BEARER]");
    expect(readdirSync(box.folder)).not.toContain(".workflow");
  });

  it.each([
    ["y\r", 0, ADOPTED, "FETCH_BEARER\tapiKey"],
    ["n\r", 0, FILE, ""],
  ])("asks at a terminal: %j", async (answer, code, text, listed) => {
    const steps = [{ wait: 'Store 1 secret and change "deploy.yaml"? (y/N): ' }, { send: answer }];
    const result = await inTerminal(box, ["secrets", "adopt", "deploy.yaml"], steps);
    expect({ code: result.code, text: read() }).toEqual({ code, text });
    expect(result.output).not.toContain(TOKEN);
    expect((await box.ak(["secrets", "list"])).stdout.startsWith(listed)).toBe(true);
  });

  it("refuses without a terminal and without --force", async () => {
    const { code, stderr } = await box.ak(["secrets", "adopt", "deploy.yaml"]);
    expect({ code, text: read() }).toEqual({ code: 2, text: FILE });
    expect(stderr).toContain("hint: Add --force, or --dry-run to see the changes only.");
  });

  it("takes another name, uses a secret that has the value, and leaves one with another value alone", async () => {
    await box.ak(["secrets", "set", "FETCH_BEARER"], { input: "another value" });
    await box.ak(["secrets", "adopt", "deploy.yaml", "--force"]);
    expect(read()).toContain("{{ secrets.FETCH_BEARER_2 }}");
    writeFileSync(path, FILE);
    await box.ak(["secrets", "adopt", "deploy.yaml", "--yes", "--name", "FETCH_BEARER=FETCH_BEARER_2"]);
    expect(read()).toContain("{{ secrets.FETCH_BEARER_2 }}");
    const names = (await box.ak(["secrets", "list", "--json"])).stdout;
    expect(JSON.parse(names).map(({ name, version }: { name: string; version: number }) => [name, version])).toEqual([
      ["FETCH_BEARER", 1],
      ["FETCH_BEARER_2", 1],
    ]);
  });

  it("stores nothing where a name that is given has another value, or is no name", async () => {
    await box.ak(["secrets", "set", "CI"], { input: "another value" });
    const taken = await box.ak(["secrets", "adopt", "deploy.yaml", "--force", "--name", "FETCH_BEARER=CI"]);
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining("error: CI: ") });
    const invalid = await box.ak(["secrets", "adopt", "deploy.yaml", "--force", "--name", "FETCH_BEARER=a b"]);
    expect(invalid).toMatchObject({ code: 5, stderr: expect.stringContaining("Invalid secret name 'a b'") });
    const mistyped = await box.ak(["secrets", "adopt", "deploy.yaml", "--force", "--name", "FETCH_BAERER=CI_TOKEN"]);
    expect([mistyped.code, mistyped.stderr]).toEqual([
      2,
      "error: No secret would get the name 'FETCH_BAERER'\nhint: Did you mean 'FETCH_BEARER'?\n",
    ]);
    const halved = await box.ak(["secrets", "adopt", "deploy.yaml", "--force", "--name", `=${TOKEN}`]);
    expect(halved.code).toBe(2);
    expect(halved.stderr).not.toContain(TOKEN);
    expect(read()).toBe(FILE);
  });

  it("says as JSON what it has done and what is left", async () => {
    writeFileSync(path, `${FILE}# ${TOKEN}\n`);
    const { stdout } = await box.ak(["secrets", "adopt", "deploy.yaml", "--force", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      file: "deploy.yaml",
      changed: true,
      secrets: [{ name: "FETCH_BEARER", places: ["'auth.bearer' of task 'fetch'"] }],
      left: [{ code: "INLINE_CREDENTIAL", message: "Line 9 of the new file still contains the value of FETCH_BEARER" }],
    });
    expect(stdout).not.toContain(TOKEN);
  });

  it("writes through a link, and stores nothing of a file that is no workflow", async () => {
    mkdirSync(join(box.folder, "flows"));
    writeFileSync(join(box.folder, "flows", "real.yaml"), FILE);
    symlinkSync("flows/real.yaml", join(box.folder, "link.yaml"));
    expect((await box.ak(["secrets", "adopt", "link.yaml", "--force"])).code).toBe(0);
    expect(lstatSync(join(box.folder, "link.yaml")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(box.folder, "flows", "real.yaml"), "utf8")).toBe(ADOPTED);
    writeFileSync(path, `${FILE}nope: ${TOKEN}\n`);
    const { code, stderr } = await box.ak(["secrets", "adopt", "deploy.yaml", "--force"]);
    expect(code).toBe(5);
    expect(stderr).not.toContain(TOKEN);
  });
});

describe("check --format sarif", () => {
  it("has each problem with its place, and no line of the file", async () => {
    writeFileSync(join(box.folder, "a b.yaml"), FILE.replace("id: deploy", "id: deploy\nsecrets: [GONE]"));
    const { code, stdout } = await box.ak(["check", "./deploy.yaml", "a b.yaml", "gone.yaml", "--format", "sarif"]);
    expect(code).toBe(1);
    expect(stdout).not.toContain(TOKEN);
    const { version, runs }: Log = JSON.parse(stdout);
    expect(version).toBe("2.1.0");
    const results = (runs[0]?.results ?? []).map(({ ruleId, level, locations: [place] = [] }) => {
      const { artifactLocation, region } = place?.physicalLocation ?? {};
      return [level, ruleId, artifactLocation?.uri, region?.startLine, region?.startColumn];
    });
    expect(results).toEqual([
      ["warning", "INLINE_CREDENTIAL", "deploy.yaml", 7, 63],
      ["error", "SECRETS_MISSING", "a%20b.yaml", 4, 10],
      ["warning", "UNUSED_DECLARATION", "a%20b.yaml", 4, 11],
      ["warning", "INLINE_CREDENTIAL", "a%20b.yaml", 8, 63],
      ["error", "WORKFLOW_NOT_FOUND", "gone.yaml", 1, 1],
    ]);
    const rules = runs[0]?.tool.driver.rules?.map(({ id }) => id) ?? [];
    expect(runs[0]?.results?.every(({ ruleId, ruleIndex = -1 }) => rules[ruleIndex] === ruleId)).toBe(true);
  });
});
