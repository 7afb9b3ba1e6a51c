import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createSandbox } from "./run-cli.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** What is used of zod as a value: a call, or the right side of `instanceof`. */
const USE = /\bz\.(\w+)\(|instanceof z\.(\w+)/g;

it("the bundle has all of zod that our packages use", () => {
  const list = readFileSync(join(ROOT, "apps/cli/bundle/zod-parts.mjs"), "utf8");
  const parts = new Set(/export \{([\s\S]*?)\}/.exec(list)?.[1]?.match(/\w+/g));
  const folders = [...readdirSync(join(ROOT, "packages")).map((name) => `packages/${name}/src`), "apps/cli/src"];
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(ROOT, folder, name)),
  );
  const used = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(USE)].map(([, call, type]) => call ?? type),
  );
  expect([...new Set(used)].filter((name) => name !== undefined && !parts.has(name))).toEqual([]);
  expect(used.length).toBeGreaterThan(100);
});

it("the bundle has schemas with all that is said about them", async () => {
  const box = createSandbox();
  onTestFinished(() => box.remove());
  const { stdout } = await box.ak(["config", "schema"]);
  const shipped = JSON.parse(readFileSync(join(ROOT, "packages/engine/schema.json"), "utf8"));
  expect(JSON.parse(stdout)).toEqual(shipped);
  // Only the schema of the action tells both: which key was meant, and that the other one is secret.
  const inputs = '{ url: "http://a.example", auth: { bearer: hello }, timeoutSecond: 3 }';
  const tasks = `[{ id: t, type: core/http.get, inputs: ${inputs} }]`;
  writeFileSync(join(box.folder, "w.yaml"), `apiVersion: v1\nid: w\ntasks: ${tasks}\n`);
  const checked = await box.ak(["check", "w.yaml"]);
  expect(checked.stdout).toContain("hint: Did you mean 'timeoutSeconds'?");
  expect(checked.stdout).toContain("'auth.bearer' of task 't' contains what looks like a credential");
});
