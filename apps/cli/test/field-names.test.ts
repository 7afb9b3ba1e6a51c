import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

const FIELDS = {
  "db.host": "db.internal-7",
  "a b": "value-of-a-b-1",
  "": "value-of-nothing-2",
  "k=v": "value-of-k-3",
  "tab\there\u001b[31m": "value-of-tab-4",
  ü: "value-of-ü-5",
  toString: "value-of-toString-6",
  nested: { token: "leaf-value-77aa", list: [1] },
  port: 5432,
};
const STORED = { ...FIELDS, nested: JSON.stringify(FIELDS.nested) };

describe.each(["sqlite", "file"])("imported fields keep their names: %s", (driver) => {
  async function ak(...args: string[]) {
    return await box.ak(["--storage-backend", driver, ...args]);
  }

  function writeEntries(entries: readonly object[]): void {
    writeFileSync(join(box.folder, "in.json"), JSON.stringify(entries));
  }

  async function importAll(...more: string[]) {
    return await ak("secrets", "import", "--from", "json", "--file", "in.json", ...more);
  }

  it("from import to get, describe, edit, run and back", async () => {
    writeEntries([{ name: "CFG", type: "custom", fields: FIELDS }]);
    expect(await importAll("--dry-run")).toMatchObject({ code: 0 });
    expect(await importAll()).toMatchObject({ code: 0 });

    const got = JSON.parse((await ak("secrets", "get", "CFG", "--json")).stdout);
    expect(got.fields).toEqual(STORED);
    expect(JSON.parse((await ak("secrets", "get", "CFG")).stdout)).toEqual(STORED);
    for (const field of ["", "k=v", "nested"] as const) {
      const { code, stdout } = await ak("secrets", "get", "CFG", "--field", field, "-q");
      expect([code, stdout]).toEqual([0, STORED[field]]);
    }

    const described = await ak("secrets", "describe", "CFG");
    expect(described.stdout).toContain("field\ttab\\u{9}here\\u{1b}[31m\tsecret\t\n");
    expect(described.stdout).toContain("field\ttoString\tsecret\t\n");
    const asOption = (option: string) => Object.keys(FIELDS).flatMap((name) => [option, name]);
    expect(await ak("secrets", "edit", "CFG", ...asOption("--public-field"))).toMatchObject({ code: 0 });
    const { publicFields } = JSON.parse((await ak("secrets", "describe", "CFG", "--json")).stdout);
    expect(publicFields).toEqual(STORED);
    expect(await ak("secrets", "edit", "CFG", ...asOption("--secret-field"))).toMatchObject({ code: 0 });

    writeFileSync(
      join(box.folder, "w.yaml"),
      `apiVersion: v1\nid: w\nsecrets: [CFG]\ntasks:\n  - { id: a, type: core/console.log, inputs: { message: "{{ secrets.CFG.port }} db.internal-7 leaf-value-77aa value-of-nothing-2" } }\n`,
    );
    expect(await ak("check", "w.yaml")).toMatchObject({ code: 0 });
    expect((await ak("run", "w.yaml")).stdout).toContain("a ***SECRET*** ***SECRET*** ***SECRET*** ***SECRET***\n");

    writeEntries([{ name: "CFG", type: "custom", fields: got.fields }]);
    const again = await importAll("--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ skipped: 1, imported: 0 });
    await ak("secrets", "set", "CFG", "--field", "port=1234");
    expect((await ak("secrets", "rollback", "CFG", "--to", "1")).code).toBe(0);
    expect(JSON.parse((await ak("secrets", "get", "CFG")).stdout)).toEqual(STORED);
  });

  it("stand for the whole secret where there is one alone", async () => {
    writeEntries([{ name: "ONE", type: "custom", fields: { "only one": "the-only-value-1" } }]);
    await importAll();
    expect((await ak("secrets", "get", "ONE", "-q")).stdout).toBe("the-only-value-1");
  });

  it.each(["__proto__", "prototype", "constructor"])("but for %s", async (name) => {
    writeFileSync(
      join(box.folder, "in.json"),
      `[{"name": "N", "type": "custom", "fields": {"${name}": "canary-value-1"}}]`,
    );
    const { code, stdout, stderr } = await importAll();
    expect(code).toBe(1);
    expect(stdout + stderr).toContain(name);
    expect(stdout + stderr).not.toContain("canary-value-1");
  });

  it("and nothing else takes such a name", async () => {
    writeEntries([{ name: "CFG", type: "custom", fields: FIELDS }]);
    await importAll();
    for (const option of ["--public-field", "--mask-field", "--secret-field"]) {
      const { code, stderr } = await ak("secrets", "edit", "CFG", option, "a c=canary-value-1");
      expect([code, stderr]).toEqual([
        2,
        `error: ${option} takes the name of a field\nhint: Give the name alone, without a value.\n`,
      ]);
    }
    expect(await ak("secrets", "set", "NEW", "--field", "a b=canary-value-1")).toMatchObject({ code: 2 });
    const missing = await ak("secrets", "get", "CFG", "--field", "db.port");
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("Field 'db.port' not found") });
  });
});
