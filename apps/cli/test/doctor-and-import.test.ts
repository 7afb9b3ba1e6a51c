import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;

beforeEach(async () => {
  box = createSandbox();
  await box.ak(["secrets", "set", "A"], { input: VALUE });
});

afterEach(() => box.remove());

describe("doctor", () => {
  it("prints one line each, and ends with 0 where all is well", async () => {
    const { code, stdout, stderr } = await box.ak(["doctor"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n").map((line) => line.slice(0, 15).trim())).toEqual([
      "ok      store",
      "ok      store",
      "ok      key",
      "ok      header",
      "ok      records",
      "",
    ]);
  });

  it("ends with 4 and the command that mends it where the key or a record is bad", async () => {
    const keyFile = join(box.keys, "secret.key");
    chmodSync(keyFile, 0o644);
    const open = await box.ak(["doctor"]);
    expect(open.code).toBe(4);
    expect(open.stdout).toContain(
      `FAILURE key     The key file ${keyFile} can be read by others\n                Run: chmod 600 '${keyFile}'`,
    );
    chmodSync(keyFile, 0o600);
    const database = new Database(join(box.folder, ".workflow/secrets/secrets.db"));
    database.exec("UPDATE secret_versions SET version = 2");
    database.close();
    const changed = await box.ak(["doctor", "--json"]);
    expect(changed.code).toBe(4);
    expect(JSON.parse(changed.stdout).at(-1)).toMatchObject({
      status: "failure",
      subject: "records",
      message: "'A', version 2, was changed since it was sealed",
    });
    expect((await box.ak(["secrets", "list"])).code).toBe(0);
    expect((await box.ak(["secrets", "get", "A"])).code).toBe(4);
  });

  it("needs nothing where there is nothing", async () => {
    rmSync(join(box.folder, ".workflow"), { recursive: true });
    expect(await box.ak(["doctor"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("ok      store   none yet in"),
    });
  });
});

describe("secrets import", () => {
  it("brings a .env file over once, and shows no value", async () => {
    writeFileSync(join(box.folder, ".env"), `# comment\nTOKEN="${VALUE} # not a comment"\nexport OTHER=x-value\n`);
    const args = ["secrets", "import", "--from", "dotenv", "--file", ".env"];
    expect((await box.ak([...args, "--dry-run"])).stderr).toBe("2 found, 2 to import, 0 skipped, 0 failed\n");
    const first = await box.ak(args);
    expect(first).toEqual({ code: 0, stdout: "", stderr: "2 found, 2 imported, 0 skipped, 0 failed\n" });
    expect((await box.ak(args)).stderr).toBe("2 found, 0 imported, 2 skipped, 0 failed\n");
    expect((await box.ak(["secrets", "get", "TOKEN", "-q"])).stdout).toBe(`${VALUE} # not a comment`);
  });

  it("writes nothing where a name is refused, proposes one, and takes it with --rename", async () => {
    writeFileSync(join(box.folder, "s.json"), JSON.stringify({ "my key!": VALUE, FINE: "v-2" }));
    const args = ["secrets", "import", "--from", "json", "--file", "s.json"];
    const refused = await box.ak(args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("proposed: my_key");
    expect(refused.stderr).toContain("nothing was written");
    expect((await box.ak(["secrets", "list"])).stdout).not.toContain("FINE");
    const json = JSON.parse((await box.ak([...args, "--rename", "--json"])).stdout);
    expect(json).toEqual({
      total: 2,
      imported: 2,
      skipped: 0,
      failed: [],
      renamed: [{ from: "my key!", to: "my_key" }],
    });
  });

  it("needs a source, a file and, for Fernet, a key", async () => {
    expect((await box.ak(["secrets", "import", "--file", "x"])).code).toBe(2);
    expect((await box.ak(["secrets", "import", "--from", "vault", "--file", "x"])).code).toBe(2);
    expect(await box.ak(["secrets", "import", "--from", "fernet-sqlite", "--file", "x"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--fernet-key"),
    });
  });

  it("leaves the source as it is", async () => {
    const path = join(box.folder, ".env");
    writeFileSync(path, "A=other-value\n");
    const conflict = await box.ak(["secrets", "import", "--from", "dotenv", "--file", ".env"]);
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toContain("A: Secret 'A' is stored already, with another value");
    expect(readFileSync(path, "utf8")).toBe("A=other-value\n");
  });
});
