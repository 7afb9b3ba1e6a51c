import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

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
