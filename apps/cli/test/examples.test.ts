import { copyFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listen } from "@autokestra/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

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
