import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../packages/sqlite/test/open-database.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
beforeEach(() => {
  box = createSandbox();
});
afterEach(() => box.remove());

const ON = { AUTOKESTRA_AUDIT: "on" };
const VALUE = "canary-7f3a9c1e5b8d";

async function ak(line: string, options: Parameters<Sandbox["ak"]>[1] = {}) {
  return await box.ak(line.split(" "), { ...options, env: { ...ON, ...options.env } });
}

async function told(): Promise<readonly string[]> {
  const { stdout } = await ak("audit list --json");
  const records: readonly { action: string; outcome: string; secret: { name: string } | null }[] = JSON.parse(stdout);
  return records.map(({ action, outcome, secret }) => [action, outcome, ...(secret ? [secret.name] : [])].join(" "));
}

const folder = () => join(box.folder, ".workflow/secrets");

function attack(sql: string): void {
  const database = openDatabase(join(folder(), "access.db"));
  database.exec(sql);
  database.close();
}

function removeLog(): void {
  for (const name of readdirSync(folder()).filter((file) => file.startsWith("access.db"))) rmSync(join(folder(), name));
}

describe("with the audit log on", () => {
  it("commands record what they do, before they print a value, and never a value", async () => {
    await ak("secrets set DB", { input: VALUE });
    expect((await ak("secrets get DB")).stdout).toBe(VALUE);
    await ak("secrets get MISSING");
    await ak("secrets list");
    await ak("keys export 0000000000000000 --to ./copy.key");
    await ak("secrets rotate-key --data-key");
    await ak("secrets backup ../backup.db");
    await ak("secrets migrate --to file");
    await ak("secrets migrate --to sqlite");
    await ak("secrets restore-backup ../backup.db");
    const workflow =
      "{ apiVersion: v1, id: w, secrets: [DB], tasks: [{ id: t, type: core/console.log, inputs: { message: hi } }] }";
    writeFileSync(join(box.folder, "w.yaml"), workflow);
    expect((await ak("run w.yaml")).code).toBe(0);
    rmSync(join(box.folder, "../backup.db"), { force: true });
    expect(await told()).toEqual([
      "set intent DB",
      "set done DB",
      "read done DB",
      "read SECRET_NOT_FOUND MISSING",
      "keys.export intent",
      "keys.export KEY_MISSING",
      "keys.rotate intent",
      "keys.rotate done",
      "backup intent",
      "backup done",
      "migrate intent",
      "migrate done",
      "migrate intent",
      "migrate done",
      "restore-backup intent",
      "restore-backup done",
      "run.start intent",
      "run.resolve done DB",
      "run.end done",
    ]);
    const { code, stdout } = await ak("audit verify");
    expect([code, stdout]).toEqual([0, "ok  19 records, 1 to 19: none was changed, removed or put in\n"]);
    expect(readFileSync(join(folder(), "access.db")).includes(VALUE)).toBe(false);
  });

  it("gives no value out where it cannot be written; lists work", async () => {
    await ak("secrets set DB", { input: VALUE });
    removeLog();
    for (const line of ["secrets get DB", "secrets set OTHER", "secrets delete DB --force"]) {
      const { code, stdout, stderr } = await ak(line, { input: "x" });
      expect([line, code, stdout]).toEqual([line, 1, ""]);
      expect(stderr).toContain("audit restart");
    }
    expect(await ak("secrets list --json")).toMatchObject({ code: 0, stdout: expect.stringContaining('"DB"') });
    expect((await ak("audit verify --json")).code).toBe(4);
    expect((await ak("audit restart")).stderr).toContain("2 records of the audit log are lost");
    expect((await ak("audit restart --json")).stdout).toBe('{"lost":0}\n');
    expect((await ak("audit restart")).stderr).toContain("nothing was written");
    expect((await ak("secrets get DB")).stdout).toBe(VALUE);
    expect((await ak("audit verify")).stdout).toContain("2 records of before are lost");
  });

  it("verify names the record that was changed, and says what nobody can tell", async () => {
    await ak("secrets set DB", { input: VALUE });
    await ak("secrets get DB");
    await ak("secrets delete DB --force", { env: { HOME: join(box.folder, "nobody") } });
    expect((await ak("audit verify")).stdout).toMatch(/2 records at the end[\s\S]*after 3 could have been cut off/);
    attack("UPDATE audit SET actor_id = 'mallory' WHERE seq = 3");
    expect(await ak("audit verify")).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^FAILED {2}record 3: changed/),
    });
    attack("DELETE FROM audit WHERE seq < 3");
    expect((await ak("audit verify")).stdout).toMatch(/^FAILED {2}one of the records 1 to 2: removed from the front/);
  });

  it("lists by name, actor and time, counts, and exports what no spreadsheet takes for a formula", async () => {
    expect((await ak("audit list")).stderr).toContain("No records found");
    expect((await ak("audit stats")).stderr).toContain("No records found");
    expect((await ak("audit verify")).stdout).toBe("ok  there are no records\n");
    await ak("secrets set DB", { input: VALUE });
    for (let count = 0; count < 3; count++) await ak("secrets get DB");
    await ak("secrets get OTHER");
    attack("UPDATE audit SET actor_id = '=cmd|'' /C calc''!A0' || char(10) || 'x' WHERE seq = 1");
    const rows = (await ak("audit list --secret DB --action read --since 1h --limit 2")).stdout
      .split("\n")
      .filter(Boolean);
    expect(rows.map((row) => row.split("\t").slice(3))).toEqual([
      ["read", "DB@1", "done", "store", ""],
      ["read", "DB@1", "done", "store", ""],
    ]);
    const failed = (await ak("audit list --outcome error")).stdout.trimEnd();
    expect(failed.split("\t").slice(3)).toEqual(["read", "OTHER", "SECRET_NOT_FOUND", "store"]);
    expect((await ak("audit list --outcome refused --json")).stdout).toBe("[]\n");
    expect((await ak("audit list --since 2099-01-01 --json")).stdout).toBe("[]\n");
    expect((await ak("audit list --since lately")).code).toBe(2);
    expect((await ak("audit stats --since 1d")).stdout).toMatch(/^DB\t3\t1\t0\t\S+\nOTHER\t0\t0\t1\t\S+\n$/);
    expect(JSON.parse((await ak("audit stats --by actor --json")).stdout)).toMatchObject([
      { reads: 3, changes: 1, refused: 1 },
    ]);
    const csv = (await ak("audit export --format csv")).stdout;
    expect(csv).toContain(`,"'=cmd|' /C calc'!A0\nx",`);
    expect(csv.split("\r\n")).toHaveLength(8);
    const lines = (await ak("audit export --secret DB")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it("follows the log until it is ended", async () => {
    await ak("secrets set DB", { input: VALUE });
    const { child, ended } = box.start(["audit", "list", "--follow", "--json"], { env: ON });
    const lines: string[] = [];
    child.stdout?.on("data", (chunk) => lines.push(...String(chunk).trimEnd().split("\n")));
    await expect.poll(() => lines.length).toBe(2);
    await ak("secrets get DB");
    await expect.poll(() => lines.length).toBe(3);
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
    expect(lines.map((line) => JSON.parse(line).action)).toEqual(["set", "set", "read"]);
  });

  it("by configuration, with a second sink that does not stop anything", async () => {
    const config = join(box.folder, "autokestra.config.yaml");
    writeFileSync(config, "audit: { sink: { command: [/nonexistent/program] } }\n");
    chmodSync(config, 0o600);
    const off = { env: { AUTOKESTRA_AUDIT: "" } };
    expect((await box.ak(["secrets", "set", "DB"], { ...off, input: VALUE })).code).toBe(0);
    const { stdout, stderr } = await box.ak(["secrets", "get", "DB"], off);
    expect(stdout).toBe(VALUE);
    expect(stderr).toContain("the second sink of the audit log did not take 1 record");
    writeFileSync(config, "audit: { sink: { command: [/nonexistent/program], required: true } }\n");
    const refused = await box.ak(["secrets", "get", "DB"], off);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("second sink");
    expect((await ak("audit verify")).code).toBe(0);
  });
});

it("without it, nothing is recorded or made", async () => {
  await box.ak(["secrets", "set", "DB"], { input: VALUE });
  await box.ak(["secrets", "get", "DB"]);
  expect(readdirSync(folder()).filter((name) => name.startsWith("access"))).toEqual([]);
});
