import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly description: string | null;
}

async function set(name: string, value: string, ...args: string[]): Promise<void> {
  expect((await box.ak(["secrets", "set", name, ...args], { input: value })).code).toBe(0);
}

async function list(...args: string[]): Promise<readonly Listed[]> {
  return JSON.parse((await box.ak(["secrets", "list", "--json", ...args])).stdout);
}

async function remove(name: string): Promise<void> {
  expect((await box.ak(["secrets", "delete", name, "--force"])).code).toBe(0);
}

const get = async (name: string) => (await box.ak(["secrets", "get", name, "-q"])).stdout;

describe("a name that was deleted", () => {
  it("K24: belongs to a new secret once it is set again", async () => {
    await set("A", "first value", "--description", "old", "--tag", "x", "--expires-at", "2030-01-01");
    const [old] = await list();
    await remove("A");
    await set("A", "second value");
    const [fresh] = await list();
    expect(fresh).toMatchObject({ name: "A", version: 1, description: null, tags: [], expiresAt: null });
    expect(fresh?.id).not.toBe(old?.id);
    expect((await box.ak(["secrets", "versions", "A"])).stdout.match(/^\d+/gm)).toEqual(["1"]);
  });

  it("comes back by id, the one that was deleted last without one; not while the name is taken", async () => {
    await set("A", "first value");
    await remove("A");
    await set("A", "second value");
    await remove("A");
    await set("A", "third value");
    const deleted = await list("--deleted");
    expect(deleted).toHaveLength(2);
    expect(Object.keys(deleted[0] ?? {})).toEqual(
      "id name type description tags version createdAt updatedAt expiresAt deletedAt".split(" "),
    );
    const [current] = await list();
    const taken = await box.ak(["secrets", "restore", "A"]);
    expect(taken).toMatchObject({ code: 1, stdout: "" });
    expect(taken.stderr).toBe(
      `error: The name 'A' is taken by the secret ${current?.id}\nhint: Rename that secret, or use another name. \`autokestra secrets rename NAME OTHER\` frees the name.\n`,
    );
    await box.ak(["secrets", "rename", "A", "THIRD"]);
    expect((await box.ak(["secrets", "restore", "A"])).code).toBe(0);
    expect(await get("A")).toBe("second value");
    await box.ak(["secrets", "rename", "A", "SECOND"]);
    const [first] = await list("--deleted");
    // As much of it as a narrow terminal shows.
    expect((await box.ak(["secrets", "restore", "A", "--id", first?.id.slice(0, 8) ?? ""])).code).toBe(0);
    expect(await get("A")).toBe("first value");
    for (const id of [current?.id ?? "", "11111111-1111-4111-8111-111111111111", "A"]) {
      expect((await box.ak(["secrets", "restore", "A", "--id", id])).code).toBe(3);
    }
  });

  it("is listed with its ids, page by page", async () => {
    for (const value of ["value one", "value two", "value three"]) {
      await set("A", value);
      await remove("A");
    }
    const ids = (await list("--deleted")).map(({ id }) => id);
    const { stdout } = await box.ak(["secrets", "list", "--deleted"]);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows.map((row) => row.at(-1))).toEqual(ids);
    expect(rows[0]).toHaveLength(9);
    const rest = await list("--deleted", "--after", "A", "--after-id", ids[0] ?? "");
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(1));
    expect(await list("--deleted", "--after", "A")).toEqual([]);
    expect((await box.ak(["secrets", "list", "--after-id", ids[0] ?? ""])).code).toBe(2);
  });

  it("is purged with everything that had it, which is counted", async () => {
    await set("A", "first value");
    await remove("A");
    await set("A", "second value");
    await set("AB", "another value");
    expect((await box.ak(["secrets", "delete", "A", "--purge"])).code).toBe(2);
    const purged = await box.ak(["secrets", "delete", "A", "--purge", "--force"]);
    expect(purged).toEqual({ code: 0, stdout: "", stderr: "2 secrets named 'A' removed for good\n" });
    expect((await list()).map(({ name }) => name)).toEqual(["AB"]);
    expect(await list("--deleted")).toEqual([]);
    const json = await box.ak(["secrets", "delete", "AB", "--purge", "--force", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({ deleted: "AB", purged: true, secrets: 1 });
  });

  it("K11: is free for an import, and the dry run says the same", async () => {
    await set("A", "first value", "--description", "old");
    const [old] = await list();
    await remove("A");
    writeFileSync(join(box.folder, ".env"), "A=imported-value\n");
    const args = ["secrets", "import", "--from", "dotenv", "--file", ".env", "--on-conflict", "overwrite"];
    expect((await box.ak([...args, "--dry-run"])).stderr).toBe("1 found, 1 to import, 0 skipped, 0 failed\n");
    expect((await box.ak(args)).stderr).toBe("1 found, 1 imported, 0 skipped, 0 failed\n");
    const [imported] = await list();
    expect(imported).toMatchObject({ version: 1, description: null });
    expect(imported?.id).not.toBe(old?.id);
    expect(await get("A")).toBe("imported-value");
  });
});

describe("a command that fails", () => {
  const bad = JSON.stringify({ A: "value", "B C": "value" });
  it.each<[string, string[], string, number]>([
    ["an empty value", ["set", "A", ""], "", 5],
    ["empty input", ["set", "A"], "", 5],
    ["a version that is not there", ["set", "A", "some value", "--if-version", "3"], "", 1],
    ["a type that does not fit", ["set", "A", "--type", "basicAuth", "--field", "username=ada"], "", 5],
    ["a bad expiry", ["set", "A", "some value", "--expires-at", "soon"], "", 5],
    ["a field that is not there", ["set", "A", "some value", "--public-field", "other"], "", 3],
    ["an import with a bad entry", ["import", "--from", "json", "--file", "bad.json"], "", 1],
    ["an edit", ["edit", "A", "--tag", "x"], "", 3],
    ["a rename", ["rename", "A", "B"], "", 3],
    ["a restore", ["restore", "A"], "", 3],
    ["a deletion", ["delete", "A", "--force"], "", 3],
  ])("K29: leaves nothing behind: %s", async (_, args, input, code) => {
    const project = "parent/child";
    await box.ak(["secrets", "list"], { project });
    const file = join(box.folder, "bad.json");
    writeFileSync(file, bad);
    const placed = args.map((arg) => (arg === "bad.json" ? file : arg));
    expect(await box.ak(["secrets", ...placed], { project, input })).toMatchObject({ code, stdout: "" });
    expect(readdirSync(join(box.folder, "parent", "child"))).toEqual([]);
    expect(readdirSync(box.folder).toSorted()).toEqual(["bad.json", "parent"]);
  });
});

describe("rejected input", () => {
  it.each<[string[], number]>([
    [["secrets", "set", `API_KEY=${VALUE}`], 5],
    [["secrets", "get", `A=${VALUE}`], 5],
    [["secrets", "edit", `A=${VALUE}`, "--tag", "x"], 5],
    [["secrets", "describe", `A=${VALUE}`], 5],
    [["secrets", "rename", "A", `B=${VALUE}`], 5],
    [["secrets", "delete", `A=${VALUE}`, "--force"], 5],
    [["secrets", "restore", `A=${VALUE}`], 5],
    [["secrets", "versions", `A=${VALUE}`], 5],
    [["secrets", "rollback", `A=${VALUE}`, "--to", "1"], 5],
    [["secrets", "get", `https://user:${VALUE}@host/`], 5],
    [["secrets", "get", `${VALUE}.${VALUE}.${VALUE}`], 5],
    [[VALUE], 2],
    [["secrets", VALUE], 2],
    [["keys", "export", VALUE, "--to", "x"], 2],
    [["secrets", "list", "--type", VALUE], 2],
    [["secrets", "list", "--storage-backend", VALUE], 2],
    [["secrets", "list", "--limit", VALUE], 2],
    [["secrets", "list", "--expires-before", VALUE], 2],
    [["secrets", "import", "--from", VALUE, "--file", "x"], 2],
    [["secrets", "migrate", "--to", VALUE], 2],
    [["runs", "list", "--status", VALUE], 2],
  ])("is not repeated: %j", async (args, code) => {
    for (const all of [args, [...args, "--json"]]) {
      const { stderr, stdout, code: exit } = await box.ak(all);
      expect({ exit, stdout }).toEqual({ exit: code, stdout: "" });
      expect(stderr).not.toContain(VALUE);
    }
  });

  it("is repeated up to `=`, so that people see which argument it was", async () => {
    expect((await box.ak(["secrets", "set", `API_KEY=${VALUE}`])).stderr).toBe(
      "error: Invalid secret name 'API_KEY=…': use letters, digits, underscore and hyphen\nhint: Give only the name. `autokestra secrets set NAME` reads the value from standard input.\n",
    );
  });
});
