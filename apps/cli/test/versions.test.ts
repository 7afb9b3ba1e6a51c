import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

const ok = { code: 0, stdout: "" };

async function set(name: string, value: string, ...args: string[]): Promise<void> {
  expect((await box.ak(["secrets", "set", name, "-q", ...args], { input: value })).code).toBe(0);
}

async function get(name: string, ...args: string[]): Promise<string> {
  return (await box.ak(["secrets", "get", name, "-q", ...args])).stdout;
}

describe("older versions", () => {
  it("are listed, read, and come back", async () => {
    await set("A", "one", "--description", "first");
    await set("A", "two");
    const { stdout } = await box.ak(["secrets", "versions", "A"]);
    expect(stdout.split("\n").map((line) => line.replace(/\d{4}-\S+Z/, "TIME"))).toEqual([
      "2\tapiKey\tTIME\t\t\tfirst",
      "1\tapiKey\tTIME\t\t\tfirst",
      "",
    ]);
    const listed = JSON.parse((await box.ak(["secrets", "versions", "A", "--json"])).stdout);
    expect(listed.map(({ name, version }: { name: string; version: number }) => [name, version])).toEqual([
      ["A", 2],
      ["A", 1],
    ]);
    expect(await get("A", "--at-version", "1")).toBe("one");
    expect(await box.ak(["secrets", "rollback", "A", "--to", "1"])).toEqual({
      ...ok,
      stderr: "Secret 'A' was rolled back to the value of version 1, as version 3\n",
    });
    expect(await get("A")).toBe("one");
    expect(await get("A", "--at-version", "2")).toBe("two");
    expect(await box.ak(["secrets", "get", "A", "--at-version", "9"])).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("error: Secret 'A' has no version 9 (versions: 3, 2, 1)"),
    });
    expect((await box.ak(["secrets", "get", "A", "--at-version", "x"])).code).toBe(2);
  });

  it.each([
    ["get", "A", "--version", "1"],
    ["rollback", "A", "--to", "1", "--version"],
    ["delete", "A", "--force", "-V"],
    ["-V", "list"],
  ])("are not those of the program: secrets %s %s %s %s", async (...args) => {
    await set("A", "one");
    expect(await box.ak(["secrets", ...args])).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(
        /^error: --version is about autokestra itself, not about a command\nhint: .*--at-version N/,
      ),
    });
    expect(await get("A")).toBe("one");
    expect(await box.ak(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it("are kept as many as WORKFLOW_SECRETS_KEEP_VERSIONS says", async () => {
    const env = { WORKFLOW_SECRETS_KEEP_VERSIONS: "2" };
    for (const value of ["1", "2", "3"]) await box.ak(["secrets", "set", "A"], { input: `value ${value}`, env });
    expect((await box.ak(["secrets", "versions", "A"])).stdout.match(/^\d+/gm)).toEqual(["3", "2"]);
    expect((await box.ak(["secrets", "list"], { env: { WORKFLOW_SECRETS_KEEP_VERSIONS: "0" } })).code).toBe(2);
  });
});

describe("a deleted secret", () => {
  it("says so, and comes back", async () => {
    await set("A", "value of A");
    expect(await box.ak(["secrets", "delete", "A", "--force"])).toEqual({
      ...ok,
      stderr: "Secret 'A' deleted; for 30 days `autokestra secrets restore A` restores it\n",
    });
    const refused = await box.ak(["secrets", "get", "A"]);
    expect(refused).toMatchObject({ code: 3, stdout: "" });
    expect(refused.stderr).toMatch(
      /^error: Secret 'A' is deleted\nhint: It can be restored until \S+Z\. `autokestra secrets restore A` restores it; `autokestra secrets delete A --purge` removes it for good\.\n$/,
    );
    expect(await box.ak(["secrets", "list"])).toMatchObject({
      stdout: "",
      stderr: expect.stringMatching(/^No secrets found\n/),
    });
    expect((await box.ak(["secrets", "list", "--deleted"])).stdout).toMatch(/^A\tapiKey\t1\t/);
    const [listed] = JSON.parse((await box.ak(["secrets", "list", "--deleted", "--json"])).stdout);
    expect(listed).toMatchObject({ name: "A", deletedAt: expect.stringMatching(/^\d{4}-/) });
    expect((await box.ak(["secrets", "restore", "A"])).stderr).toBe("Secret 'A' was restored, with version 1\n");
    expect(await get("A")).toBe("value of A");
    // Nothing is deleted by now, and the name is in use.
    expect((await box.ak(["secrets", "restore", "A"])).code).toBe(1);
    expect((await box.ak(["secrets", "restore", "NONE"])).code).toBe(3);
  });

  it("is gone at once with --purge", async () => {
    await set("A", "value of A");
    await set("A", "second value of A");
    expect((await box.ak(["secrets", "delete", "A", "--purge"])).code).toBe(2);
    expect((await box.ak(["secrets", "delete", "A", "--purge", "--force"])).stderr).toBe(
      "Secret 'A' removed for good\n",
    );
    expect((await box.ak(["secrets", "get", "A"])).stderr).toContain("error: Secret 'A' not found\n");
    expect((await box.ak(["secrets", "list", "--deleted"])).stderr).toMatch(/^No secrets found\n/);
  });

  it("is missing for a workflow, which is told how it comes back", async () => {
    await set("A", "value of A");
    await box.ak(["secrets", "delete", "A", "--force"]);
    const workflow = join(box.folder, "w.yaml");
    await box.ak(["secrets", "set", "B"], { input: "value of B" });
    const { writeFileSync } = await import("node:fs");
    writeFileSync(
      workflow,
      "apiVersion: v1\nid: w\nsecrets: [A, B]\ntasks:\n  - { id: say, type: core/console.log, inputs: { message: '{{ secrets.A }}' } }\n",
    );
    const run = await box.ak(["run", workflow]);
    expect(run).toMatchObject({ code: 3, stdout: "" });
    expect(run.stderr).toMatch(
      /^error: Missing secrets: A\nhint: Secret 'A' is deleted\. It can be restored until .* `autokestra secrets restore NAME`/,
    );
    expect((await box.ak(["run", workflow], { env: { A: "value from outside" } })).code).toBe(0);
  });
});

describe("secrets list", () => {
  it("filters by beginning, type and expiry, page by page", async () => {
    await set("DB_A", "value a", "--expires-at", "2027-01-01");
    await set("DB_B", "value b", "--tag", "x");
    await set("OTHER", "value o");
    const names = async (...args: string[]) =>
      (await box.ak(["secrets", "list", ...args])).stdout.match(/^\S+/gm) ?? [];
    expect(await names("--prefix", "DB_")).toEqual(["DB_A", "DB_B"]);
    expect(await names("--expires-before", "2028-01-01")).toEqual(["DB_A"]);
    expect(await names("--limit", "2")).toEqual(["DB_A", "DB_B"]);
    expect(await names("--limit", "2", "--after", "DB_B")).toEqual(["OTHER"]);
    expect(await names("--prefix", "DB_", "--tag", "x")).toEqual(["DB_B"]);
    expect((await box.ak(["secrets", "list", "--expires-before", "soon"])).code).toBe(2);
    expect((await box.ak(["secrets", "list", "--limit", "-1"])).code).toBe(2);
  });
});

describe("the store", () => {
  it("moves to another kind and back, and says where the old one is", async () => {
    await set("A", "value of A");
    const moved = await box.ak(["secrets", "migrate", "--to", "file"]);
    expect(moved.code).toBe(0);
    expect(moved.stderr).toMatch(
      /^Now in a file store: 1 secret, 1 version\. The old one is kept: \S+\/secrets\.db\.\S+\.backup\n$/,
    );
    expect(await get("A")).toBe("value of A");
    expect((await box.ak(["secrets", "migrate", "--to", "file"])).stderr).toBe(
      "The secrets are in a file store already; nothing was done\n",
    );
    expect(JSON.parse((await box.ak(["secrets", "migrate", "--to", "sqlite", "--json"])).stdout)).toMatchObject({
      from: "file",
      to: "sqlite",
      secrets: 1,
    });
    expect(await get("A")).toBe("value of A");
    const asked = await box.ak(["secrets", "list", "--storage-backend", "file"]);
    expect(asked).toMatchObject({ code: 1, stdout: "" });
    expect(asked.stderr).toContain("hint: `autokestra secrets migrate --to file` moves them.");
  });

  it("is backed up and restored", async () => {
    await set("A", "value of A");
    const file = join(box.folder, "backup.db");
    const backup = await box.ak(["secrets", "backup", "backup.db"]);
    expect(backup).toEqual({
      ...ok,
      stderr: `The store was copied to "${file}", still encrypted. Restoring it needs the master key, which is not in it\n`,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file).includes("value of A")).toBe(false);
    expect((await box.ak(["secrets", "backup", "backup.db"])).code).toBe(1);
    await set("A", "another value");
    const restored = await box.ak(["secrets", "restore-backup", "backup.db"]);
    expect(restored.stderr).toMatch(/^Restored: 1 secret, 1 version\. The old store is kept: \S+\.backup\n$/);
    expect(await get("A")).toBe("value of A");
    expect(existsSync(file)).toBe(true);
    expect((await box.ak(["secrets", "restore-backup", "none"])).code).toBe(2);
  });
});
