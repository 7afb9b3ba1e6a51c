import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
const FINGERPRINT = "[0-9a-f]{16}";
let box: Sandbox;
let keyFile: string;

beforeEach(async () => {
  box = createSandbox();
  keyFile = join(box.keys, "secret.key");
  await box.ak(["secrets", "set", "A"], { input: VALUE });
});

afterEach(() => box.remove());

/** A key that opens nothing here. */
function otherKey(): NodeJS.ProcessEnv {
  return { AUTOKESTRA_SECRET_KEY: randomBytes(32).toString("hex") };
}

const WRONG = new RegExp(
  `^error: The master key from AUTOKESTRA_SECRET_KEY \\(${FINGERPRINT}\\) is not the key of these secrets, which is ${FINGERPRINT}$`,
  "m",
);

describe("a key that is given", () => {
  it("K1: is tried alone, and named with both fingerprints where it is wrong", async () => {
    for (const args of [
      ["secrets", "get", "A"],
      ["secrets", "describe", "A"],
      ["secrets", "edit", "A", "--tag", "x"],
      ["secrets", "set", "A", "other"],
      ["secrets", "rotate-key"],
    ]) {
      const result = await box.ak(args, { env: otherKey() });
      expect(result).toMatchObject({ code: 4, stdout: "" });
      expect(result.stderr).toMatch(WRONG);
    }
    expect((await box.ak(["secrets", "get", "A", "-q"])).stdout).toBe(VALUE);
  });

  it("K3: serves every opening in one process", async () => {
    const env = otherKey();
    const options = { env, project: "other" };
    // The root of a repository: no store above it is looked for.
    mkdirSync(join(box.folder, "other", ".git"), { recursive: true });
    // It opens the secrets once to see the type, and once to write.
    for (const input of ["one-value", "two-value"]) {
      expect((await box.ak(["secrets", "set", "B"], { ...options, input })).code).toBe(0);
    }
    expect((await box.ak(["secrets", "get", "B", "-q"], options)).stdout).toBe("two-value");
  });

  it("K31: is the only one for restore-backup and doctor too, and beside a key that a rotation has left", async () => {
    expect((await box.ak(["secrets", "backup", "backup.db"])).code).toBe(0);
    const env = otherKey();
    const restored = await box.ak(["secrets", "restore-backup", "backup.db"], { env });
    expect(restored).toMatchObject({ code: 4, stdout: "", stderr: expect.stringMatching(WRONG) });
    const doctor = await box.ak(["doctor"], { env });
    expect(doctor).toMatchObject({
      code: 4,
      stdout: expect.stringContaining("FAILURE key     The master key from AUTO"),
    });
    writeFileSync(`${keyFile}.0123456789abcdef.new`, randomBytes(32).toString("hex"), { mode: 0o600 });
    const before = readdirSync(box.keys);
    expect((await box.ak(["secrets", "get", "A"], { env })).code).toBe(4);
    expect(readdirSync(box.keys)).toEqual(before);
  });

  it("leaves the environment before anything else runs, and an invalid one is no error where none is needed", async () => {
    const env = { AUTOKESTRA_SECRET_KEY: "deadbeef" };
    expect((await box.ak(["secrets", "list"], { env })).code).toBe(0);
    const used = await box.ak(["secrets", "get", "A"], { env });
    expect(used).toMatchObject({ code: 4, stdout: "" });
    expect(used.stderr).not.toContain("deadbeef");
  });
});

describe("a key that is missing", () => {
  it("K19: is an error that names every place looked at, in order", async () => {
    const typo = join(box.folder, "typo");
    const fromFile = await box.ak(["secrets", "get", "A"], { env: { AUTOKESTRA_SECRET_KEY_FILE: typo } });
    expect(fromFile).toMatchObject({ code: 4, stdout: "" });
    expect(fromFile.stderr).toContain(
      `Looked at: AUTOKESTRA_SECRET_KEY (not set); AUTOKESTRA_SECRET_KEY_FILE: ${typo} (no such file).`,
    );
    const none = await box.ak(["secrets", "get", "A"], { env: { HOME: join(box.folder, "elsewhere") } });
    expect(none).toMatchObject({ code: 4, stdout: "" });
    expect(none.stderr).toContain(
      `Looked at: AUTOKESTRA_SECRET_KEY (not set); AUTOKESTRA_SECRET_KEY_FILE (not set); ${join(box.folder, "elsewhere", ".autokestra", "secret.key")} (no such file).`,
    );
    expect(none.stderr).toContain("`--key-file FILE`");
    expect(existsSync(join(box.folder, "elsewhere"))).toBe(false);
  });
});

const OWN_MOUNTS = ["--user", "--map-root-user", "--mount"];
const canMount: boolean = spawnSync("unshare", [...OWN_MOUNTS, "true"]).status === 0;

describe("a full disk", () => {
  it.runIf(canMount)("K21: is exit code 1 while a key is written, and nothing is changed", () => {
    const home = join(box.folder, "full");
    const project = join(box.folder, "project");
    // The root of a repository: no store above it is looked for.
    for (const folder of [home, join(project, ".git")]) mkdirSync(folder, { recursive: true });
    const script =
      'mount -t tmpfs -o size=8k none "$HOME" && dd if=/dev/zero of="$HOME/fill" bs=4096 count=2 2>/dev/null; node "$CLI" secrets set A; code=$?; ls -A "$HOME"; exit $code';
    const { status, stdout, stderr } = spawnSync("unshare", [...OWN_MOUNTS, "sh", "-c", script], {
      cwd: project,
      env: { PATH: process.env["PATH"], HOME: home, CLI },
      input: VALUE,
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "fill\n" });
    expect(stderr).toMatch(/^error: The key file .*secret\.key cannot be written: no space left on device$/m);
    expect(readdirSync(project)).toEqual([".git"]);
  });
});

describe("a limit of the size of files", () => {
  it.each([
    [["secrets", "rotate-key"], /^error: The key file .*secret\.key cannot be replaced: file too large$/m],
    [
      ["secrets", "rotate-key", "--new-key-file", "new.key"],
      /^error: The key file .*new\.key cannot be written: file too/m,
    ],
  ])("K21: is exit code 1 while a key is written, and nothing is changed: %s", async (args, message) => {
    const before = readdirSync(box.keys);
    const { status, stderr } = spawnSync("sh", ["-c", 'ulimit -f 0; exec "$@"', "sh", process.execPath, CLI, ...args], {
      cwd: box.folder,
      env: { PATH: process.env["PATH"], HOME: join(box.folder, "home") },
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(readdirSync(box.keys)).toEqual(before);
    expect(existsSync(join(box.folder, "new.key"))).toBe(false);
    expect((await box.ak(["secrets", "get", "A", "-q"])).stdout).toBe(VALUE);
  });
});

describe("an older state of a store", () => {
  it("is opened only by a key that is named", async () => {
    const database = join(box.folder, ".workflow", "secrets", "secrets.db");
    const { copyFileSync, rmSync } = await import("node:fs");
    copyFileSync(database, join(box.folder, "before.db"));
    expect((await box.ak(["secrets", "rotate-key"])).code).toBe(0);
    for (const end of ["-wal", "-shm"]) rmSync(database + end, { force: true });
    copyFileSync(join(box.folder, "before.db"), database);
    chmodSync(database, 0o600);
    const found = await box.ak(["secrets", "get", "A"]);
    expect(found).toMatchObject({ code: 4, stdout: "" });
    expect(found.stderr).toMatch(new RegExp(`^error: This is an older state.*${FINGERPRINT}.*${FINGERPRINT}`));
    expect(found.stderr).toContain("`--key-file FILE` opens it anyway.");
    const [kept = ""] = readdirSync(box.keys).filter((name) => /^secret\.key\.[0-9a-f]{16}$/.test(name));
    expect((await box.ak(["secrets", "get", "A", "-q", "--key-file", join(box.keys, kept)])).stdout).toBe(VALUE);
  });
});
