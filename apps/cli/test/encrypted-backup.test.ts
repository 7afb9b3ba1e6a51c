import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as age from "age-encryption";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox } from "./run-cli.ts";

const box = createSandbox();
/** All that the command tells of the secrets of this machine, which no test changes. */
let all: string;
/** What is said when `b.age` is made. */
let withKey: Awaited<ReturnType<typeof box.ak>>;
afterAll(() => box.remove());

const file = (name: string) => join(box.folder, name);

beforeAll(async () => {
  for (const name of ["id.txt", "other.txt"]) {
    const identity = await age.generateIdentity();
    writeFileSync(
      file(name),
      `# created: today\n# public key: ${await age.identityToRecipient(identity)}\n${identity}\n`,
    );
  }
  writeFileSync(file("passphrase"), "correct horse battery staple\n");
  const secrets: readonly (readonly string[])[] = [
    ["KEY", "--description", "canary description", "--tag", "prod"],
    ["DB", "--type", "basicAuth", "--field", "username=app", "--field", "password=-"],
    ["BEARER", "--type", "bearerToken", "--field", "token=-", "--expires-at", "2040-01-01"],
    ["OAUTH", "--type", "oauth", "--field", "clientId=id", "--field", "clientSecret=-"],
    ["CUSTOM", "--type", "custom", "--field", "a=1", "--field", "b=-"],
    ["GONE"],
  ];
  for (const args of secrets) expect((await box.ak(["secrets", "set", ...args], { input: "value" })).code).toBe(0);
  await box.ak(["secrets", "set", "KEY"], { input: "second" });
  await box.ak(["secrets", "delete", "GONE", "--force"]);
  all = await everything();
  withKey = await box.ak(["secrets", "backup", "b.age", "--recipient", recipientOf("id.txt"), "--with-key"]);
});

const recipientOf = (name: string) => /age1\w+/.exec(readFileSync(file(name), "utf8"))?.[0] ?? "";

/** The environment of an empty machine, whose home is in a folder of its own. */
function machine(name: string) {
  mkdirSync(join(box.folder, name, ".git"), { recursive: true });
  return { project: name, env: { HOME: join(box.folder, `${name}-home`) } };
}

/** All that the command tells of the secrets. */
async function everything(options: Parameters<typeof box.ak>[1] = {}): Promise<string> {
  const calls = [["list"], ["list", "--deleted"], ...["KEY", "DB", "BEARER"].map((name) => ["describe", name])];
  calls.push(...["KEY", "DB", "BEARER", "OAUTH", "CUSTOM"].map((name) => ["get", name]), [
    "get",
    "KEY",
    "--at-version",
    "1",
  ]);
  const outputs = [];
  for (const args of calls) outputs.push((await box.ak(["secrets", ...args, "--json"], options)).stdout);
  return outputs.join("");
}

describe("an encrypted backup", () => {
  it("restores everything on an empty machine with the file and the identity alone", async () => {
    expect([withKey.code, withKey.stderr]).toEqual([0, expect.stringContaining("It contains the master key")]);
    const empty = machine("empty");
    const args = ["secrets", "restore-backup", file("b.age"), "--identity", file("id.txt")];
    const restored = await box.ak(args, empty);
    expect([restored.code, restored.stderr]).toEqual([0, expect.stringContaining("Restored: 6 secrets, 7 versions")]);
    expect(restored.stderr).toContain("Keep a copy of it elsewhere");
    expect(await everything(empty)).toBe(all);
    expect((await box.ak(["secrets", "restore", "GONE"], empty)).code).toBe(0);
    expect((await box.ak(["tokens", "list"], empty)).stderr).toContain("No tokens found");
    expect((await box.ak(["doctor"], empty)).code).toBe(0);
    expect(JSON.parse((await box.ak([...args, "--json"], empty)).stdout)).toMatchObject({
      tookKeys: false,
      keyFile: null,
    });
  });

  // The stretching of the passphrase takes seconds, three times.
  it("opens with its passphrase, and with the key that was brought", { timeout: 120_000 }, async () => {
    const passphrase = ["--passphrase-file", file("passphrase")];
    const made = await box.ak(["secrets", "backup", "p.age", ...passphrase, "--json"]);
    expect(JSON.parse(made.stdout)).toEqual({ file: file("p.age"), backend: "sqlite" });
    const keyless = machine("keyless");
    const args = ["secrets", "restore-backup", file("p.age"), ...passphrase];
    expect((await box.ak(["keys", "import", join(box.keys, "secret.key")], keyless)).code).toBe(0);
    expect((await box.ak(args, keyless)).code).toBe(0);
    expect(await everything(keyless)).toBe(all);
  });

  it("replaces no key, and names the file of a new one", async () => {
    const used = machine("used");
    await box.ak(["secrets", "set", "FIRST"], { ...used, input: "first" });
    const place = ["--storage-path", file("restored")];
    const args = ["secrets", "restore-backup", file("b.age"), "--identity", file("id.txt"), ...place];
    const refused = await box.ak(args, used);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("another master key is in place")]);
    expect(refused.stderr).toContain("`--key-file FILE` names it.");
    const named = await box.ak([...args, "--key-file", file("named.key")], used);
    expect([named.code, named.stderr]).toEqual([0, expect.stringContaining("Name it with --key-file from now on")]);
    expect((await box.ak(["secrets", "get", "FIRST"], used)).stdout).toBe("first");
  });

  it.each<[string, readonly string[], number, string]>([
    ["no identity", [], 4, "is encrypted, and opens only with the identity of one of its recipients"],
    ["another identity", ["--identity", "other.txt"], 4, "which was not given"],
    ["no identity in the file", ["--identity", "passphrase"], 2, "not an age identity"],
    ["no such file", ["--identity", "nowhere.txt"], 2, "cannot be read"],
  ])("is refused with %s", async (_, options, code, message) => {
    const refused = await box.ak(["secrets", "restore-backup", "b.age", ...options]);
    expect([refused.code, refused.stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(refused.stderr).not.toContain("horse");
    expect(await everything()).toBe(all);
  });

  it.each<[string, readonly string[], string]>([
    ["--with-key alone", ["--with-key"], "an encrypted backup only"],
    ["a recipient that is none", ["--recipient", "age1x"], "Recipient 1 is not an age recipient"],
  ])("is not made with %s", async (_, options, message) => {
    const refused = await box.ak(["secrets", "backup", "new.age", ...options]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(file("new.age"))).toBe(false);
  });

  it("does not repeat an identity that was given as a recipient", async () => {
    const identity = /AGE-SECRET-KEY-\w+/.exec(readFileSync(file("id.txt"), "utf8"))?.[0] ?? "";
    const refused = await box.ak(["secrets", "backup", "new.age", "--recipient", identity]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("must stay secret")]);
    expect(refused.stderr).not.toContain(identity.slice(20));
  });
});

describe("serve with backups and keys", () => {
  const { project } = machine("served");

  async function serve(settings: string) {
    writeFileSync(join(box.folder, project, "autokestra.config.yaml"), `server: { port: 0, ${settings} }\n`);
    const { child, ended } = box.start(["serve"], { project });
    let text = "";
    const said = async (pattern: RegExp) =>
      await new Promise<string>((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        };
        child.stderr?.on("data", look);
        look();
        void ended.then(({ stderr }) => reject(new Error(stderr)));
      });
    child.stderr?.on("data", (data) => {
      text += String(data);
    });
    async function end() {
      child.kill("SIGTERM");
      return await ended;
    }
    return { said, end };
  }

  it("makes a backup, shows it, and ends; the next one does not make it again", async () => {
    await box.ak(["secrets", "set", "SERVED"], { project, input: "value" });
    const token = (await box.ak(["tokens", "create", "m", "--role", "auditor"], { project })).stdout.trim();
    const settings = `backups: { every: 24h, to: backups, recipients: ["${recipientOf("id.txt")}"] }, keys: { rotateDataKeyEvery: 90d }`;
    const first = await serve(settings);
    const address = await first.said(/ready on (\S+)/);
    const path = await first.said(/"event":"backup","file":"([^"]+)"/);
    const answer = await fetch(`${address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const metrics = await answer.text();
    expect(metrics).toMatch(/^autokestra_backup_failures_total 0$/m);
    expect(metrics).toMatch(/^autokestra_(master|data)_key_created_timestamp_seconds \d+/m);
    expect((await first.end()).code).toBe(0);
    const second = await serve(settings);
    await second.said(/(ready)/);
    expect((await second.end()).stderr).not.toContain('"event"');
    const restored = machine("from-server");
    const args = [
      "secrets",
      "restore-backup",
      path,
      "--identity",
      file("id.txt"),
      "--key-file",
      join(box.keys, "secret.key"),
    ];
    expect((await box.ak(args, restored)).code).toBe(0);
  });

  it("does not start with a recipient that is not valid", async () => {
    rmSync(join(box.folder, project, "backups"), { recursive: true, force: true });
    const { said } = await serve('backups: { every: 24h, to: backups, recipients: ["age1x"] }');
    await expect(said(/(ready)/)).rejects.toThrow("Recipient 1 is not an age recipient");
    expect(existsSync(join(box.folder, project, "backups"))).toBe(false);
  });
});
