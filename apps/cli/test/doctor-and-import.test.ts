import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
const WORKFLOW = `{ apiVersion: v1, id: w, tasks: [{ id: say, type: core/console.log, inputs: { message: hello } }] }`;
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
      "ok      header",
      "ok      records",
      "ok      audit",
      "",
    ]);
  });

  it("says what to do where the audit log is not what was written", async () => {
    const env = { AUTOKESTRA_AUDIT: "on" };
    await box.ak(["secrets", "get", "A"], { env });
    const well = await box.ak(["doctor"], { env });
    expect(well.stdout).toMatch(
      /^ok {6}audit {3}on, 1 record: verified; the store remembers the last one, of \d+ seconds? ago$/m,
    );
    const database = new Database(join(box.folder, ".workflow/secrets/access.db"));
    database.exec("UPDATE audit SET actor_id = 'somebody else'");
    database.close();
    // Whether it is on here or not: it may be that of a server.
    for (const { code, stdout } of [await box.ak(["doctor"], { env }), await box.ak(["doctor"])]) {
      expect(code).toBe(4);
      expect(stdout).toMatch(/^FAILURE audit .* does not verify: record 1: changed/m);
      expect(stdout).toContain("`autokestra audit list` shows the records around it");
      expect(stdout).not.toContain("restore-backup");
    }
  });

  it("names what others have put into each of the databases, and says what to do", async () => {
    writeFileSync(join(box.folder, "w.yaml"), WORKFLOW);
    expect((await box.ak(["run", "w.yaml"], { env: { AUTOKESTRA_AUDIT: "on" } })).code).toBe(0);
    const planted = [
      ["store", "secrets/secrets.db", "CREATE TRIGGER spy BEFORE INSERT ON secret_versions BEGIN SELECT 1; END"],
      ["audit", "secrets/access.db", 'CREATE VIEW "a view\n" AS SELECT 1'],
      ["runs", "runs.db", "CREATE TRIGGER t AFTER INSERT ON run_events BEGIN SELECT 1; END"],
    ] as const;
    for (const [, file, sql] of planted) {
      const database = new Database(join(box.folder, ".workflow", file));
      database.exec(sql);
      database.close();
    }
    const { code, stdout } = await box.ak(["doctor"]);
    expect(code).toBe(4);
    for (const [subject, file] of planted) {
      expect(stdout).toMatch(
        new RegExp(`^FAILURE ${subject.padEnd(7)} .*${file}"? has (trigger|view) '.*: nothing is written`, "m"),
      );
    }
    expect(stdout.match(/^ +Whoever put it there can write to this folder.*DROP TRIGGER/gm)).toHaveLength(3);
    expect(stdout).not.toContain("restore-backup");
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
    expect(JSON.parse(changed.stdout).at(-2)).toMatchObject({
      status: "failure",
      subject: "records",
      message: "'A', version 2, was changed since it was encrypted",
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
      warnings: [],
      renamed: [{ from: "my key!", to: "my_key" }],
    });
  });

  it("KD1: says on which line a value was read differently, and imports it whole", async () => {
    writeFileSync(join(box.folder, ".env"), `TOKEN=top#${VALUE}\nDUP=first-1\nDUP=second-2\n# OLD=x`);
    const { code, stderr } = await box.ak(["secrets", "import", "--from", "dotenv", "--file", ".env"]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: [
        "warning: line 1: TOKEN: `#` is a part of the value; some readers cut it off there",
        "warning: line 3: DUP: it is also on line 2; the last one counts",
        "2 found, 2 imported, 0 skipped, 0 failed\n",
      ].join("\n"),
    });
    expect((await box.ak(["secrets", "get", "TOKEN", "-q"])).stdout).toBe(`top#${VALUE}`);
    expect((await box.ak(["secrets", "get", "DUP", "-q"])).stdout).toBe("second-2");
  });

  it("KD1: refuses a file with its line, also in a dry run, and writes nothing", async () => {
    writeFileSync(join(box.folder, ".env"), `GOOD=good-1\nPW="${VALUE}\nOTHER=keep\nLAST="zzzz"\n`);
    const args = ["secrets", "import", "--from", "dotenv", "--file", ".env"];
    const outputs = [await box.ak([...args, "--dry-run"]), await box.ak(args)];
    for (const { code, stderr } of outputs) {
      expect(code).toBe(1);
      expect(stderr).toContain("error: line 2: PW: the double quote is not closed before that of another line\n");
      expect(stderr).toContain("nothing was written");
      expect(stderr).not.toMatch(/canary|keep|zzzz/);
    }
    expect((await box.ak(["secrets", "get", "GOOD"])).code).toBe(3);
  });

  it("KD1: reads standard input, and leaves out empty values with --skip-empty", async () => {
    const args = ["secrets", "import", "--from", "dotenv", "--file", "-"];
    const input = "EMPTY=\nB=b-value\n";
    expect(await box.ak(args, { input })).toMatchObject({
      code: 1,
      stderr: [
        "error: line 1: EMPTY: Secret value cannot be empty",
        "hint: `--skip-empty` skips empty values.",
        "2 found, 0 imported, 0 skipped, 1 failed; nothing was written\n",
      ].join("\n"),
    });
    const { code, stdout, stderr } = await box.ak([...args, "--skip-empty", "--json"], { input });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "warning: line 1: EMPTY: it has no value and is skipped\n" });
    expect(JSON.parse(stdout)).toMatchObject({ total: 2, imported: 1, skipped: 1, failed: [] });
    expect((await box.ak(["secrets", "get", "B", "-q"])).stdout).toBe("b-value");
  });

  it("KD2: keeps the digits of numbers in JSON, and refuses a key that stands twice", async () => {
    const args = ["secrets", "import", "--from", "json", "--file", "-"];
    const { code, stderr } = await box.ak(args, { input: '{"V": 1.0, "E": 1e3, "PORT": 5432}' });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: V: it is kept as text, .*\nwarning: E: it is kept as text, .*\n3 found, 3 imp/);
    expect((await box.ak(["secrets", "get", "V", "-q"])).stdout).toBe("1.0");
    expect((await box.ak(["secrets", "get", "E", "-q"])).stdout).toBe("1e3");
    const twice = await box.ak(args, { input: `{"W": "x",\n"W": "${VALUE}"}` });
    expect(twice).toMatchObject({ code: 5, stderr: expect.stringContaining("has a key twice ('W'): line 2") });
    expect(twice.stderr).not.toContain(VALUE);
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
