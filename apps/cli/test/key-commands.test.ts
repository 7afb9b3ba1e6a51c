import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
let keyFile: string;

beforeEach(async () => {
  box = createSandbox();
  keyFile = join(box.keys, "secret.key");
  await box.ak(["secrets", "set", "A"], { input: "value of A", project: "one" });
});

afterEach(() => box.remove());

interface ListedKey {
  readonly fingerprint: string;
  readonly paths: readonly string[];
}

async function listed(): Promise<readonly ListedKey[]> {
  return JSON.parse((await box.ak(["keys", "list", "--json"])).stdout);
}

describe("keys list", () => {
  it("says which key is where, and which known stores and backups use it", async () => {
    expect((await box.ak(["secrets", "backup", "b.db"], { project: "one" })).code).toBe(0);
    const [first] = await listed();
    expect((await box.ak(["secrets", "rotate-key"], { project: "one" })).code).toBe(0);
    const store = join(box.folder, "one", ".workflow", "secrets");
    const before = first?.fingerprint;
    const keys = await listed();
    expect(keys).toEqual([
      {
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
        kind: "bytes",
        paths: [keyFile],
        isDefault: true,
        isPending: false,
        stores: [{ path: store, state: "uses" }],
        backups: [],
      },
      {
        fingerprint: before,
        kind: "bytes",
        paths: [`${keyFile}.${before}`],
        isDefault: false,
        isPending: false,
        stores: [{ path: store, state: "left" }],
        backups: [{ path: join(box.folder, "one", "b.db"), madeAt: expect.stringMatching(/^\d{4}-.*Z$/) }],
      },
    ]);
    const { code, stdout, stderr } = await box.ak(["keys", "list"]);
    expect(code).toBe(0);
    const after = keys[0]?.fingerprint;
    expect(stdout.split("\n")).toEqual([
      [after, "key", "default", keyFile, store, ""].join("\t"),
      [before, "key", "kept", `${keyFile}.${before}`, `${store} (before)`, join(box.folder, "one", "b.db")].join("\t"),
      "",
    ]);
    expect(stderr).toBe(
      "note: copies of keys, stores and backups that were made by other programs or on other machines are not listed\n",
    );
    for (const { paths } of keys) {
      for (const path of paths) expect(stdout).not.toContain(readFileSync(path, "utf8").trim());
    }
  });

  it("names a key that is needed and not here", async () => {
    const [first] = await listed();
    rmSync(keyFile);
    expect(await listed()).toMatchObject([{ fingerprint: first?.fingerprint, kind: null, paths: [] }]);
    expect((await box.ak(["keys", "list"])).stdout).toMatch(/^[0-9a-f]{16}\t\tnot here\t\t/);
  });

  it("says when there is none", async () => {
    const { code, stdout, stderr } = await box.ak(["keys", "list"], { env: { HOME: join(box.folder, "none") } });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/^No keys found\n/);
  });
});

describe("keys export and import", () => {
  it("write one key to a new file, and take it into the key folder of another machine", async () => {
    const [key] = await listed();
    const fingerprint = key?.fingerprint ?? "";
    const file = join(box.folder, "copy.key");
    const exported = await box.ak(["keys", "export", fingerprint, "--to", "copy.key"]);
    expect(exported).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining(`Key ${fingerprint} was written`),
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await box.ak(["keys", "export", fingerprint, "--to", "copy.key"])).code).toBe(2);
    const env = { HOME: join(box.folder, "elsewhere") };
    const imported = JSON.parse((await box.ak(["keys", "import", file, "--json"], { env })).stdout);
    const path = join(box.folder, "elsewhere", ".autokestra", `secret.key.${fingerprint}`);
    expect(imported).toEqual({ fingerprint, path, isNew: true });
    const again = await box.ak(["keys", "import", file], { env });
    expect(again.stderr).toBe(`Key ${fingerprint} is already in ${JSON.stringify(path)}\n`);
    expect((await box.ak(["secrets", "get", "A", "-q"], { env, project: "one" })).stdout).toBe("value of A");
  });

  it("refuse what is no fingerprint without repeating it, and a key that is not here", async () => {
    const text = readFileSync(keyFile, "utf8").trim();
    const refused = await box.ak(["keys", "export", text, "--to", "copy.key"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).not.toContain(text);
    expect((await box.ak(["keys", "export", "0123456789abcdef", "--to", "copy.key"])).code).toBe(4);
    expect(existsSync(join(box.folder, "copy.key"))).toBe(false);
    expect((await box.ak(["keys", "import", "none.key"])).code).toBe(2);
  });
});
