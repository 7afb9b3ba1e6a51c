import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;
let keyFile: string;

beforeEach(() => {
  box = createSandbox();
  keyFile = join(box.keys, "secret.key");
});

afterEach(() => box.remove());

async function set(project: string, name: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
  const { code } = await box.ak(["secrets", "set", name], { project, env, input: `${VALUE} ${name}` });
  expect(code).toBe(0);
}

async function get(project: string, name: string, ...args: string[]): Promise<string> {
  return (await box.ak(["secrets", "get", name, "-q", ...args], { project })).stdout;
}

/** The fingerprint of the default key, or of another one. */
async function fingerprintOf(path = keyFile): Promise<string> {
  const keys = JSON.parse((await box.ak(["keys", "list", "--json"])).stdout) as {
    fingerprint: string;
    paths: string[];
  }[];
  return keys.find(({ paths }) => paths.includes(path))?.fingerprint ?? "";
}

/** Puts the key folder back to the moment in which a rotation had changed the store, and not yet the key file. */
function undoKeyFile(before: string, after: string): void {
  renameSync(keyFile, `${keyFile}.${after}.new`);
  copyFileSync(`${keyFile}.${before}`, keyFile);
}

async function storeMany(count: number): Promise<void> {
  const secrets = Object.fromEntries(Array.from({ length: count }, (_, index) => [`S${index}`, `value ${index}`]));
  writeFileSync(join(box.folder, "many.json"), JSON.stringify(secrets));
  expect((await box.ak(["secrets", "import", "--from", "json", "--file", "many.json"])).code).toBe(0);
}

describe("secrets rotate-key", () => {
  it("replaces the key, keeps the one before under its fingerprint, and advises to destroy none", async () => {
    await set(".", "A");
    const before = await fingerprintOf();
    const { code, stdout, stderr } = await box.ak(["secrets", "rotate-key"]);
    const after = await fingerprintOf();
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe(
      `Master key ${before} no longer opens these secrets; ${after} does, in ${JSON.stringify(keyFile)}\nThe old key is kept, because older backups need it: \`autokestra keys list\` shows where\n`,
    );
    expect(after).not.toBe(before);
    expect(await get(".", "A")).toBe(`${VALUE} A`);
    const old = await box.ak(["secrets", "get", "A", "--key-file", `${keyFile}.${before}`]);
    expect(old).toMatchObject({ code: 4, stdout: "" });
    expect(old.stderr).toContain(before);
    expect(old.stderr).toContain(after);
  });

  it("encrypts everything again with --data-key, and reports in JSON", async () => {
    await set(".", "A");
    const { stdout } = await box.ak(["secrets", "rotate-key", "--data-key", "--json"]);
    const report = JSON.parse(stdout);
    expect(Object.keys(report).toSorted()).toEqual([
      "after",
      "before",
      "dataKeys",
      "isComplete",
      "keyFile",
      "otherStores",
    ]);
    expect(report).toMatchObject({ isComplete: true, keyFile, otherStores: [] });
    expect(report.dataKeys).toMatchObject([
      { state: "destroyed", secrets: 0 },
      { state: "active", secrets: 1 },
    ]);
    expect(await get(".", "A")).toBe(`${VALUE} A`);
  });

  it("asks for a file where the key comes from the environment", async () => {
    const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
    await set(".", "A", env);
    expect(await box.ak(["secrets", "rotate-key"], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("`--new-key-file FILE` names the file of the new key"),
    });
    expect((await box.ak(["secrets", "rotate-key", "--new-key-file", "new.key"], { env })).code).toBe(0);
    expect(await get(".", "A", "--key-file", "new.key")).toBe(`${VALUE} A`);
    expect((await box.ak(["secrets", "get", "A"], { env })).code).toBe(4);
  });

  it("K4: locks no other project out", async () => {
    await set("one", "A");
    await set("two", "B");
    const { stderr } = await box.ak(["secrets", "rotate-key"], { project: "one" });
    expect(stderr).not.toMatch(/destroy|delete|remove/);
    expect(await get("two", "B")).toBe(`${VALUE} B`);
    const noted = await box.ak(["secrets", "get", "B"], { project: "two" });
    expect(noted.stderr).toMatch(
      /^note: the secrets were opened with the key [0-9a-f]{16} from .*found beside the default$/m,
    );
    expect((await box.ak(["doctor"], { project: "two" })).code).toBe(0);
    await set("two", "C");
    expect((await box.ak(["secrets", "rotate-key"], { project: "two" })).code).toBe(0);
    expect(await get("one", "A")).toBe(`${VALUE} A`);
    expect(await get("two", "C")).toBe(`${VALUE} C`);
  });

  it("K13: does not touch the key that a killed rotation has left for another project", async () => {
    await set("one", "A");
    await set("two", "B");
    const before = await fingerprintOf();
    expect((await box.ak(["secrets", "rotate-key"], { project: "one" })).code).toBe(0);
    const after = await fingerprintOf();
    undoKeyFile(before, after);
    expect((await box.ak(["secrets", "rotate-key"], { project: "two" })).code).toBe(0);
    expect(await get("one", "A")).toBe(`${VALUE} A`);
    expect(await get("two", "B")).toBe(`${VALUE} B`);
    const keys = JSON.parse((await box.ak(["keys", "list", "--json"])).stdout) as { fingerprint: string }[];
    expect(keys.map(({ fingerprint }) => fingerprint)).toEqual(expect.arrayContaining([before, after]));
    // Finished where it began.
    expect((await box.ak(["secrets", "rotate-key"], { project: "one" })).code).toBe(0);
    expect(await get("one", "A")).toBe(`${VALUE} A`);
    expect(await get("two", "B")).toBe(`${VALUE} B`);
  });

  it("K16: is refused where there is no store, and makes nothing", async () => {
    await set(".", "A");
    const before = await fingerprintOf();
    // The root of a repository: no store above it is looked for.
    mkdirSync(join(box.folder, "empty", ".git"), { recursive: true });
    for (const args of [[], ["--storage-path", "mistyped"], ["--new-key-file", "new.key"]]) {
      const { code, stderr } = await box.ak(["secrets", "rotate-key", ...args], { project: "empty" });
      expect(code).toBe(1);
      expect(stderr).toContain("there is none yet");
    }
    expect(readdirSync(join(box.folder, "empty"))).toEqual([".git"]);
    expect(await fingerprintOf()).toBe(before);
  });

  it("K17: checks a new key file as one that is read, compares keys and not paths, and leaves nothing behind", async () => {
    await set(".", "A");
    const open = join(box.folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    copyFileSync(keyFile, join(box.folder, "copy.key"));
    linkSync(keyFile, join(box.folder, "linked.key"));
    for (const [file, code, message] of [
      [".workflow/secrets/new.key", 4, "lies inside the secrets folder"],
      ["open/new.key", 4, "lies in a folder that everybody can write to"],
      ["copy.key", 2, "contains the current key"],
      ["linked.key", 2, "contains the current key"],
    ] as const) {
      const result = await box.ak(["secrets", "rotate-key", "--new-key-file", file]);
      expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(message) });
    }
    expect(existsSync(join(box.folder, ".workflow/secrets/new.key"))).toBe(false);
    expect(readdirSync(open)).toEqual([]);
    expect(await get(".", "A")).toBe(`${VALUE} A`);
  });

  it("K33: is refused where other stores need the given key file, unless all are rotated or another file is named", async () => {
    const env = { AUTOKESTRA_SECRET_KEY_FILE: join(box.folder, "shared.key") };
    await set("one", "A", env);
    await set("two", "B", env);
    const refused = await box.ak(["secrets", "rotate-key"], { project: "one", env });
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(join(box.folder, "two", ".workflow", "secrets"));
    expect(refused.stderr).toMatch(/^hint: .*--new-key-file.*--all-stores/m);
    const all = await box.ak(["secrets", "rotate-key", "--all-stores"], { project: "one", env });
    expect(all.code).toBe(0);
    expect(all.stderr).toContain(join(box.folder, "two", ".workflow", "secrets"));
    for (const [project, name] of [
      ["one", "A"],
      ["two", "B"],
    ] as const) {
      const { stdout } = await box.ak(["secrets", "get", name, "-q"], { project, env });
      expect(stdout).toBe(`${VALUE} ${name}`);
    }
    const alone = await box.ak(["secrets", "rotate-key", "--new-key-file", "one.key"], { project: "one", env });
    expect(alone.code).toBe(0);
    expect((await box.ak(["secrets", "get", "B", "-q"], { project: "two", env })).stdout).toBe(`${VALUE} B`);
    expect(await get("one", "A", "--key-file", "one.key")).toBe(`${VALUE} A`);
  });
});

describe("K15: a rotation that is interrupted", { tags: ["faults"] }, () => {
  const args = ["secrets", "rotate-key", "--data-key", "--new-key-file", "new.key"];
  const count = 1500;

  async function expectFinished(): Promise<void> {
    const again = await box.ak(args);
    expect(again).toMatchObject({ code: 0, stdout: "" });
    expect(await get(".", "S7", "--key-file", "new.key")).toBe("value 7");
    const doctor = await box.ak(["doctor", "--key-file", "new.key"]);
    expect(doctor).toMatchObject({ code: 0, stdout: expect.stringContaining(`${count} secrets`) });
  }

  it("by kill -9, at any moment, is finished by running it again", async () => {
    await storeMany(count);
    for (const delay of process.env["LONG_TESTS"] === "true" ? [100, 250, 400, 600] : [100, 400]) {
      const { child, ended } = box.start(args);
      const timer = setTimeout(() => child.kill("SIGKILL"), delay);
      await ended;
      clearTimeout(timer);
    }
    await expectFinished();
  });

  it.each<[NodeJS.Signals, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("by %s says what is done and how to go on, and is finished by running that", async (signal, exitCode) => {
    await storeMany(count);
    // The process signals itself, as nobody else may be fast enough. The file is made before the store changes.
    const code = `import { existsSync } from "node:fs";
      const look = () => existsSync("new.key") ? process.kill(process.pid, "${signal}") : setImmediate(look);
      look();`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
    const result = await box.ak(args, { env });
    expect(result).toMatchObject({ code: exitCode, stdout: "" });
    expect(result.stderr).toMatch(
      /^Master key [0-9a-f]{16} no longer opens these secrets; [0-9a-f]{16} does, in "\/.*new\.key"$/m,
    );
    expect(result.stderr).toContain("and all of them open. Run the same command again to finish\n");
    expect(await get(".", "S7", "--key-file", "new.key")).toBe("value 7");
    await expectFinished();
  });

  it("with the new key in the key folder is finished, and may be run once more", async () => {
    await set(".", "A");
    const before = await fingerprintOf();
    const next = join(box.keys, "next.key");
    expect((await box.ak(["secrets", "rotate-key", "--new-key-file", next])).code).toBe(0);
    const after = await fingerprintOf(next);
    for (const more of [[], ["--data-key"], ["--all-stores"]]) {
      const again = await box.ak(["secrets", "rotate-key", "--new-key-file", next, ...more]);
      expect(again).toMatchObject({ code: 0, stdout: "" });
      expect(again.stderr).toContain(`Master key ${before} no longer opens these secrets; ${after} does`);
    }
    expect(await get(".", "A")).toBe(`${VALUE} A`);
  });

  it("at the default key file, between store and key file, is finished by running it again", async () => {
    await set(".", "A");
    const before = await fingerprintOf();
    await box.ak(["secrets", "rotate-key"]);
    const after = await fingerprintOf();
    undoKeyFile(before, after);
    expect(await get(".", "A")).toBe(`${VALUE} A`);
    expect(await box.ak(["secrets", "rotate-key"])).toMatchObject({ code: 0, stdout: "" });
    expect(await get(".", "A")).toBe(`${VALUE} A`);
    expect(readdirSync(box.keys).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});
