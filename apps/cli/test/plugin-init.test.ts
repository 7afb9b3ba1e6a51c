import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPluginSdk } from "@autokestra/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
beforeEach(() => {
  box = createSandbox();
});
afterEach(() => box.remove());

it("writes a plugin whose test passes, and that a workflow can call", async () => {
  const { code, stdout } = await box.ak(["plugin", "init", "acme/mail"]);
  expect(code).toBe(0);
  const folder = join(box.folder, "plugin-mail");
  expect(stdout.trimEnd().split("\n")).toEqual(
    ["package.json", "src/index.js", "test/index.test.js", "README.md", ".gitignore"].map(
      (file) => `plugin-mail/${file}`,
    ),
  );
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name: "@acme/plugin-mail", autokestra: { plugin: "acme/mail" } });
  await installPluginSdk(folder);
  const env = { PATH: process.env["PATH"], HOME: box.folder };
  // It throws if a test fails.
  const printed = execFileSync(process.execPath, ["--test", "test/index.test.js"], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  expect(printed).toMatch(/pass 2\b/);

  writeFileSync(join(box.folder, "autokestra.config.yaml"), 'plugins: ["./plugin-mail"]\n', { mode: 0o600 });
  const workflow = (inputs: string) =>
    `apiVersion: v1\nid: w\ntasks:\n  - { id: t, type: acme/mail.send, inputs: ${inputs} }\n`;
  const file = join(box.folder, "w.yaml");
  writeFileSync(file, workflow('{ url: "http://127.0.0.1:1/x", token: literal-token, mesage: hi }'));
  const checked = await box.ak(["check", "w.yaml"]);
  expect(checked.code).toBe(1);
  expect(checked.stdout).toContain("unknown key 'mesage'");
  expect(checked.stdout).toContain("hint: Did you mean 'message'?");
  expect(checked.stdout).toContain("'token' of task 't' contains what looks like a credential");
  writeFileSync(file, workflow('{ url: "http://127.0.0.1:1/x", token: literal-token, message: hi }'));

  const validated = await box.ak(["config", "validate", "--json"]);
  expect(JSON.parse(validated.stdout).plugins).toEqual([{ name: "acme/mail", actions: ["acme/mail.send"] }]);
  const schema = await box.ak(["config", "schema"]);
  expect(JSON.stringify(JSON.parse(schema.stdout))).toContain('"const":"acme/mail.send"');
  const adopted = await box.ak(["secrets", "adopt", "w.yaml", "--dry-run", "--json"]);
  expect(JSON.parse(adopted.stdout).secrets).toEqual([{ name: "T_TOKEN", places: ["'token' of task 't'"] }]);

  const run = await box.ak(["run", "w.yaml"]);
  expect(run.code).toBe(1);
  expect(run.stdout).toContain("fetch failed");
  expect(run.stderr).toContain("note: this run cannot be resumed: without a store of secrets, nothing of it is kept\n");
});

it("changes no file that exists, and writes none beside it", async () => {
  mkdirSync(join(box.folder, "p"));
  symlinkSync("nowhere", join(box.folder, "p/README.md"));
  const { code, stderr } = await box.ak(["plugin", "init", "acme/mail", "--dir", "p"]);
  expect([code, readdirSync(join(box.folder, "p"))]).toEqual([2, ["README.md"]]);
  expect(stderr).toContain(
    'error: "p/README.md" already exists, and nothing was changed\nhint: Give another folder with --dir.',
  );
});

it.each([
  "mail",
  "acme/",
  "Acme/mail",
  "acme/mail/x",
  "../../etc/x",
  "@acme/mail",
  "core/http",
  "acme/a b",
  `acme/${"a".repeat(81)}`,
])("refuses the name '%s'", async (name) => {
  const { code } = await box.ak(["plugin", "init", name]);
  expect([code, existsSync(join(box.folder, "plugin-mail"))]).toEqual([5, false]);
});

it("tells which plugin of the configuration cannot be used, with its line", async () => {
  writeFileSync(join(box.folder, "autokestra.config.yaml"), "maxVersions: 3\nplugins:\n  - ./no.js\n", { mode: 0o600 });
  writeFileSync(join(box.folder, "w.yaml"), "apiVersion: v1\nid: w\ntasks: [{ id: t, type: acme/a.b, inputs: {} }]\n");
  for (const command of ["check", "run"]) {
    const { code, stderr } = await box.ak([command, "w.yaml"]);
    expect(code).toBe(5);
    expect(stderr).toContain("error: The plugin './no.js' cannot be used: there is no such file\n");
    expect(stderr).toMatch(/--> .*autokestra\.config\.yaml:3:5/);
  }
});
