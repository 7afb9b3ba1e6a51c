import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { listen } from "@autokestra/test-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

const examples: string = fileURLToPath(new URL("../../../examples/", import.meta.url));
const files: readonly string[] = readdirSync(examples).filter((file) => file.endsWith(".yaml"));
let box: Sandbox;

beforeEach(async () => {
  box = createSandbox();
  for (const file of files) copyFileSync(join(examples, file), join(box.folder, file));
  await box.ak(["secrets", "set", "GREETING"], { input: "my first secret" });
  await box.ak(["secrets", "set", "API_KEY"], { input: "sk_live_51Hq9ZtK8vExample" });
  await box.ak([
    "secrets",
    "set",
    "DB",
    "--type",
    "basicAuth",
    "--field",
    "username=reporting",
    "--field",
    "password=correct-horse-7",
  ]);
});

afterEach(() => box.remove());

it("has examples that pass `check`", async () => {
  const { code, stdout } = await box.ak(["check", ...files]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: files.map((file) => `${file}: ok\n`).join("") });
});

it("runs hello.yaml as it says", async () => {
  const { code, stdout } = await box.ak(["run", "hello.yaml", "--input", "who=Ada"]);
  expect(code).toBe(0);
  expect(stdout).toContain(" plain hello Ada, the secret is ***SECRET***\n");
  expect(stdout).toContain(' nested {"list":["***SECRET***",7],"literal":"{{ secrets.GREETING }}"}\n');
  expect(stdout).toContain(" base64 ***SECRET*** is its base64, if the secret is '***SECRET***'\n");
});

it("runs quickstart.yaml against a server that sends everything back", async () => {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  const url = await listen(server);
  const { code, stdout } = await box.ak(["run", "quickstart.yaml", "--input", `url=${url}/`]);
  server.close();
  expect(code).toBe(0);
  expect(stdout).toContain('"x-api-key":"***SECRET***"');
  expect(stdout).not.toMatch(/sk_live|correct-horse|reporting|cmVwb3J0aW5n/);
});

describe.each(["deploy", "rotate-key", "backup", "health-check", "orders"])("examples/%s", (name) => {
  let service: ChildProcess;
  let url: string;

  beforeAll(async () => {
    service = spawn(process.execPath, [join(examples, "server.mjs"), "0"], { stdio: ["ignore", "pipe", "inherit"] });
    [url] = String(service.stdout === null ? "" : await once(service.stdout, "data")).split("\n") as [string];
  });

  afterAll(() => service.kill());

  it("does what its README shows", async () => {
    const folder = join(box.folder, name);
    cpSync(join(examples, name), folder, { recursive: true });
    mkdirSync(join(box.folder, "bin"));
    writeFileSync(join(box.folder, "bin/autokestra"), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, {
      mode: 0o755,
    });
    const env = { PATH: `${box.folder}/bin:${process.env["PATH"]}`, HOME: join(box.folder, "home") };
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    const [, shown = ""] = /```console\n([\s\S]*?)```/.exec(readme) ?? [];
    const steps = shown.split(/^\$ /m).slice(1);
    expect(steps.length).toBeGreaterThan(2);
    for (const step of steps) {
      const [command = "", ...output] = step.split("\n");
      const script = `exec 2>&1; ${command.replaceAll(SHOWN_URL, url)}`;
      const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: folder, env });
      expect(comparable(stdout.replaceAll(url, SHOWN_URL))).toEqual(comparable(output.join("\n")));
    }
  });
});

const SHOWN_URL = "http://127.0.0.1:8080";

/** The lines of an output without what differs between two runs: times, and the order of what runs at the same time. */
function comparable(output: string): readonly string[] {
  return output
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, "TIME")
    .replaceAll(/\d+ ms/g, "MS")
    .replaceAll(/next in [\d.]+ s/g, "next in SECONDS")
    .replaceAll(/^ +(\d+)$/gm, "$1")
    .split("\n")
    .toSorted();
}
