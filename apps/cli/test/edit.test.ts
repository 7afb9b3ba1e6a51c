import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

async function set(name: string, ...args: string[]): Promise<void> {
  expect((await box.ak(["secrets", "set", name, ...args], { input: VALUE })).code).toBe(0);
}

async function described(name: string) {
  const { code, stdout } = await box.ak(["secrets", "describe", name, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

describe("secrets edit", () => {
  it("KP13: changes metadata without the value, reads no input and adds no version", async () => {
    await set("A", "--description", "old", "--tag", "x", "--tag", "y");
    const { code, stdout, stderr } = await box.ak(
      ["secrets", "edit", "A", "--description", "new", "--tag", "z", "--untag", "x", "--expires-at", "2030-01-01"],
      { input: "not the value" },
    );
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: "Secret 'A' changed (version 1, revision 2)\n",
    });
    expect(await described("A")).toMatchObject({
      description: "new",
      tags: ["y", "z"],
      expiresAt: "2030-01-01T00:00:00.000Z",
      version: 1,
      revision: 2,
    });
    expect((await box.ak(["secrets", "get", "A", "-q"])).stdout).toBe(VALUE);
    const edited = await box.ak(["secrets", "edit", "A", "--expires-at", "never", "--description", "", "--json"]);
    expect(JSON.parse(edited.stdout)).toMatchObject({ expiresAt: null, description: null, tags: ["y", "z"] });
  });

  it("says what can be changed where nothing is given", async () => {
    await set("A");
    for (const args of [[], ["--if-revision", "1"]]) {
      const { code, stderr } = await box.ak(["secrets", "edit", "A", ...args]);
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /^error: No change was given\nhint: Give --description, --tag, --untag, --expires-at, --public-field, --mask-field, --secret-field, --allow-workflow, --allow-task-type or --allow-host\./,
      );
    }
  });

  it("changes only the revision that is named", async () => {
    await set("A");
    const refused = await box.ak(["secrets", "edit", "A", "--tag", "x", "--if-revision", "7"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("error: Secret 'A' has revision 1, not 7; nothing was changed\n");
    expect((await box.ak(["secrets", "edit", "A", "--tag", "x", "--if-revision", "1"])).code).toBe(0);
    expect((await described("A")).tags).toEqual(["x"]);
  });

  it("makes fields public, masked, and secret again", async () => {
    await set("C", "--field", "user=ada", "--field", "password=correct-horse-7", "--public-field", "user");
    expect(await described("C")).toMatchObject({ publicFields: { user: "ada" } });
    await box.ak(["secrets", "edit", "C", "--secret-field", "user"]);
    expect(await described("C")).toMatchObject({ publicFields: {} });
    await box.ak(["secrets", "edit", "C", "--public-field", "user"]);
    // A new value of the same type keeps what was said about its fields.
    await set("C", "--type", "custom", "--field", "user=bob", "--field", "password=other-horse-8");
    expect(await described("C")).toMatchObject({
      publicFields: { user: "bob" },
      fields: [
        { name: "user", public: true, masked: false },
        { name: "password", public: false, masked: true },
      ],
    });
    const none = await box.ak(["secrets", "edit", "C", "--public-field", "token"]);
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining("Field 'token' not found in secret 'C'") });
    const value = await box.ak(["secrets", "edit", "C", "--public-field", `user=${VALUE}`]);
    expect(value.code).toBe(2);
    expect(value.stderr).not.toContain(VALUE);
  });

  it("masks user names where it is told to", async () => {
    await set("D", "--type", "basicAuth", "--field", "username=ada-lovelace", "--field", "password=-");
    expect((await described("D")).fields).toEqual([
      { name: "username", public: false, masked: false },
      { name: "password", public: false, masked: true },
    ]);
    await box.ak(["secrets", "edit", "D", "--mask-field", "username"]);
    expect((await described("D")).fields[0]).toEqual({ name: "username", public: false, masked: true });
    const refused = await box.ak(["secrets", "edit", "D", "--public-field", "password"]);
    expect(refused).toMatchObject({ code: 5, stdout: "" });
  });
});

describe("secrets describe", () => {
  it("prints exactly these keys as JSON, and no hidden value", async () => {
    await set(
      "D",
      "--type",
      "basicAuth",
      "--field",
      `username=ada`,
      "--field",
      "password=-",
      "--public-field",
      "username",
    );
    await set("D", "--field", "username=ada", "--field", "password=-", "--tag", "x", "--description", "database");
    const { stdout } = await box.ak(["secrets", "describe", "D", "--json"]);
    expect(stdout).not.toContain(VALUE);
    const json = JSON.parse(stdout);
    expect(json).toEqual({
      id: UUID,
      name: "D",
      type: "basicAuth",
      description: "database",
      tags: ["x"],
      version: 2,
      createdAt: TIME,
      updatedAt: TIME,
      expiresAt: null,
      revision: 2,
      fields: [
        { name: "username", public: true, masked: false },
        { name: "password", public: false, masked: true },
      ],
      publicFields: { username: "ada" },
      versions: [
        { version: 2, createdAt: TIME },
        { version: 1, createdAt: TIME },
      ],
    });
    expect(Object.keys(json)).toEqual(
      "id name type description tags version createdAt updatedAt expiresAt revision fields publicFields versions".split(
        " ",
      ),
    );
  });

  it("prints tab-separated lines into a pipe, with nothing in them that a terminal would act on", async () => {
    await set("C", "--field", "note=a\u001b[31m\nb\u202e", "--field", "pw=-", "--public-field", "note");
    const { stdout } = await box.ak(["secrets", "describe", "C"]);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows.map(([label]) => label)).toEqual([
      ..."name id type description tags version revision created updated expires".split(" "),
      "field",
      "field",
      "version",
    ]);
    expect(rows.filter(([label]) => label === "field")).toEqual([
      ["field", "note", "public", "a\\u{1b}[31m\\u{a}b\\u{202e}"],
      ["field", "pw", "secret", ""],
    ]);
    expect(stdout).not.toContain(VALUE);
  });

  it("needs the key, and a secret that is there", async () => {
    await set("A");
    expect((await box.ak(["secrets", "describe", "NONE"])).code).toBe(3);
    const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
    expect((await box.ak(["secrets", "describe", "A"], { env })).code).toBe(4);
  });
});

describe("secrets rename", () => {
  it("keeps id and versions", async () => {
    await set("A");
    await set("A");
    const { id } = await described("A");
    const { code, stdout, stderr } = await box.ak(["secrets", "rename", "A", "B"]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: "Secret 'A' is now 'B'. Change workflows that use 'A'\n",
    });
    const renamed = await described("B");
    expect(renamed).toMatchObject({ id, version: 2, revision: 3 });
    expect(renamed.versions).toHaveLength(2);
    expect((await box.ak(["secrets", "get", "B", "-q", "--at-version", "1"])).stdout).toBe(VALUE);
    expect((await box.ak(["secrets", "get", "A"])).code).toBe(3);
  });

  it("is refused where the name is taken, not valid, or nobody's", async () => {
    await set("A");
    await set("B");
    expect((await box.ak(["secrets", "rename", "A", "B"])).code).toBe(1);
    expect((await box.ak(["secrets", "rename", "NONE", "C"])).code).toBe(3);
    expect((await box.ak(["secrets", "rename", "A", "MY KEY"])).code).toBe(5);
    expect((await described("A")).name).toBe("A");
  });
});

describe("an expiry", () => {
  it("K25: that a new value drops is announced, and --keep-expiry keeps it", async () => {
    await set("A", "--expires-at", "2030-01-01");
    const kept = await box.ak(["secrets", "set", "A", "--keep-expiry"], { input: VALUE });
    expect(kept).toEqual({
      code: 0,
      stdout: "",
      stderr: "Secret 'A' stored (apiKey, version 2): 1 line, 19 characters\n",
    });
    expect((await described("A")).expiresAt).toBe("2030-01-01T00:00:00.000Z");
    const dropped = await box.ak(["secrets", "set", "A"], { input: VALUE });
    expect(dropped.stderr).toContain(
      "note: the expiry 2030-01-01T00:00:00.000Z of 'A' is dropped; --keep-expiry keeps it\n",
    );
    expect((await described("A")).expiresAt).toBeNull();
    const both = await box.ak(["secrets", "set", "A", "--keep-expiry", "--expires-at", "2031-01-01"], { input: VALUE });
    expect(both.code).toBe(2);
  });
});

describe("tags", () => {
  it("are replaced by set, and kept where it gives none", async () => {
    await set("A", "--tag", "x", "--tag", "y", "--description", "kept");
    await set("A");
    expect(await described("A")).toMatchObject({ tags: ["x", "y"], description: "kept" });
    await set("A", "--tag", "z");
    expect((await described("A")).tags).toEqual(["z"]);
  });
});

describe("--type", () => {
  it.each(["APIKey", "api_key", "apikey", "API-KEY"])("KP13: takes %s", async (type) => {
    await set("A", "--type", type);
    expect((await described("A")).type).toBe("apiKey");
  });
});
