import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

async function value(name: string, ...args: string[]): Promise<string> {
  return (await box.ak(["secrets", "get", name, "--quiet", ...args])).stdout;
}

it("a type that was not asked for stays: what became another one while the value was given is left alone", async () => {
  await box.ak(["secrets", "set", "A"], { input: VALUE });
  const pipe = join(box.folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const { ended } = box.start(["secrets", "set", "A", "--from-file", pipe, "--json"]);
  // Opens once the command reads it: it has looked at the stored type by then.
  const writer = await open(pipe, "w");
  const other = ["secrets", "set", "A", "--type", "custom", "--field", "user=u", "--field", "id=i"];
  expect((await box.ak(other)).code).toBe(0);
  await writer.writeFile("another value");
  await writer.close();
  const { code, stderr } = await ended;
  expect([code, JSON.parse(stderr).error.code]).toEqual([1, "VERSION_CONFLICT"]);
  expect(stderr).toContain("Secret 'A' is of type custom, not apiKey; nothing was written");
  expect(await value("A", "--field", "user")).toBe("u");
  expect((await box.ak(["secrets", "set", "A", "--type", "apiKey"], { input: VALUE })).code).toBe(0);
});

describe("secrets set and get", () => {
  it("takes a value from standard input, less one newline, and gives it back to the byte", async () => {
    for (const [input, expected] of [
      [VALUE, VALUE],
      [`${VALUE}\n`, VALUE],
      [" x \r\n\n", " x \r\n"],
      ["\ufeff日本語 🔑 'q' \"q\" $& \\ \0", "\ufeff日本語 🔑 'q' \"q\" $& \\ \0"],
    ] as const) {
      expect((await box.ak(["secrets", "set", "A"], { input })).code).toBe(0);
      expect(await value("A")).toBe(expected);
    }
  });

  it("takes an empty password only where that is meant", async () => {
    const set = ["secrets", "set", "E", "--type", "basicAuth", "--field", "username=u", "--field", "password="];
    expect((await box.ak(set)).code).toBe(5);
    expect((await box.ak([...set, "--allow-empty"])).code).toBe(0);
    expect(await value("E", "--field", "password")).toBe("");
  });

  it("says what it stored on standard error only, and warns where a value is shown", async () => {
    const keyFile = join(box.folder, "home", ".autokestra", "secret.key");
    expect(await box.ak(["secrets", "set", "A"], { input: VALUE })).toEqual({
      code: 0,
      stdout: "",
      stderr: `note: the master key was created: ${keyFile}. Without it the secrets are lost: keep a copy\nnote: the secrets are stored in "${box.folder}/.workflow/secrets"\nSecret 'A' stored (apiKey, version 1): 1 line, 19 characters\n`,
    });
    expect(await box.ak(["secrets", "set", "A", "-q"], { input: VALUE })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await box.ak(["secrets", "get", "A"])).toEqual({
      code: 0,
      stdout: VALUE,
      stderr: "warning: the value of a secret is shown here; do not leave it in a log or a screenshot\n",
    });
  });

  it("accepts a value as an argument, and warns of it", async () => {
    const { code, stderr } = await box.ak(["secrets", "set", "A", VALUE]);
    expect(code).toBe(0);
    expect(stderr).toContain(
      "warning: a value on the command line is visible in the process list and the shell history",
    );
    expect(await value("A")).toBe(VALUE);
  });

  it("takes fields as text, from a file and from standard input", async () => {
    writeFileSync(join(box.folder, "p"), `${VALUE}\n`);
    const args = ["secrets", "set", "O", "--type", "oauth", "--field", "clientId=a=b", "--field", "clientSecret=@p"];
    expect(
      (await box.ak([...args, "--field", "accessToken=-", "--field", "scopes=read write"], { input: "t\n" })).code,
    ).toBe(0);
    expect(JSON.parse(await value("O"))).toEqual({
      clientId: "a=b",
      clientSecret: VALUE,
      accessToken: "t",
      scopes: ["read", "write"],
    });
    expect(await value("O", "--field", "clientSecret")).toBe(VALUE);
    expect(JSON.parse(await value("O", "--json", "--field", "clientId"))).toEqual({
      name: "O",
      type: "oauth",
      version: 1,
      fields: { clientId: "a=b" },
    });
  });

  it("takes a value from a file, and keeps the type of a secret that is there", async () => {
    writeFileSync(join(box.folder, "pem"), "-----BEGIN KEY-----\nabc\n-----END KEY-----\n");
    await box.ak(["secrets", "set", "T", "--type", "bearerToken"], { input: "t1" });
    expect((await box.ak(["secrets", "set", "T", "--from-file", "pem"])).stderr).toBe(
      "Secret 'T' stored (bearerToken, version 2): 3 lines, 41 characters\n",
    );
    expect(await value("T")).toBe("-----BEGIN KEY-----\nabc\n-----END KEY-----");
    await box.ak(["secrets", "set", "C", "--field", "only=x-value"]);
    expect(await value("C")).toBe("x-value");
  });

  it("writes only over the version that is named", async () => {
    expect((await box.ak(["secrets", "set", "A", "--if-version", "0"], { input: "v1" })).code).toBe(0);
    const conflict = await box.ak(["secrets", "set", "A", "--if-version", "0"], { input: "v2" });
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toContain("has version 1, not version 0; nothing was written");
    expect((await box.ak(["secrets", "set", "A", "--if-version", "1"], { input: "v2" })).code).toBe(0);
    expect(await value("A")).toBe("v2");
  });

  it("says which values cannot be masked", async () => {
    expect((await box.ak(["secrets", "set", "A"], { input: "abc" })).stderr).toContain(
      "warning: field value of 'A' is too short or too common to be masked in logs",
    );
  });

  it.each<[string, string[], string, number, string]>([
    ["an empty value", ["secrets", "set", "A"], "\n", 5, "Secret value cannot be empty"],
    ["an empty field", ["secrets", "set", "A", "--field", "x="], "", 5, "Secret value cannot be empty"],
    [
      "a bad name",
      ["secrets", "set", "MY KEY"],
      VALUE,
      5,
      "Invalid secret name 'MY KEY': use letters, digits, underscore and hyphen",
    ],
    [
      "a name that is a path",
      ["secrets", "get", "../x"],
      "",
      5,
      "Invalid secret name '../x': use letters, digits, underscore and hyphen",
    ],
    ["a missing secret", ["secrets", "get", "GONE"], "", 3, "Secret 'GONE' not found"],
    ["a missing secret to delete", ["secrets", "delete", "GONE", "--force"], "", 3, "Secret 'GONE' not found"],
    ["binary input", ["secrets", "set", "A"], "\xff\xfe", 5, "Standard input is not UTF-8 text"],
    [
      "two ways to give a value",
      ["secrets", "set", "A", "v", "--field", "value=v"],
      "",
      2,
      "Give the value in one way: VALUE, --from-file or --field",
    ],
    [
      "one value for two fields",
      ["secrets", "set", "A", "v", "--type", "basicAuth"],
      "",
      2,
      "A basicAuth secret has several fields",
    ],
    [
      "a field without a name",
      ["secrets", "set", "A", "--field", VALUE],
      "",
      2,
      "--field takes NAME=VALUE, NAME=@FILE or NAME=-",
    ],
    ["a field twice", ["secrets", "set", "A", "--field", "a=1", "--field", "a=2"], "", 2, "--field a is given twice"],
    [
      "a file that is not there",
      ["secrets", "set", "A", "--from-file", "gone"],
      "",
      2,
      "The file gone cannot be read (ENOENT)",
    ],
    [
      "a missing field",
      ["secrets", "set", "A", "--type", "basicAuth", "--field", "username=u"],
      "",
      5,
      "Invalid basicAuth secret 'A': field password is missing",
    ],
    [
      "an unknown type",
      ["secrets", "set", "A", "--type", "password"],
      VALUE,
      2,
      "--type takes one of these: apiKey, basicAuth, bearerToken, oauth, custom",
    ],
    ["a bad expiry", ["secrets", "set", "A", "--expires-at", "soon"], VALUE, 5, "Secret 'A': the expiry is not a time"],
    [
      "a bad version",
      ["secrets", "set", "A", "--if-version", "one"],
      VALUE,
      2,
      "--if-version takes a whole number of at most 9 digits",
    ],
    ["an unknown command", ["secrets", "push", "A"], "", 2, "unknown command 'push'"],
    ["an unknown option", ["secrets", "get", "A", "--filed", "x"], "", 2, "Unknown option"],
    ["no name", ["secrets", "get"], "", 2, "missing required argument 'name'"],
    [
      "an unknown backend",
      ["secrets", "list", "--storage-backend", "redis"],
      "",
      2,
      "--storage-backend takes one of these: auto, sqlite, file",
    ],
  ])("refuses %s", async (_, args, input, code, message) => {
    const result = await box.ak(args, { input: Buffer.from(input, "latin1") });
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr.split("\n")).toContain(`error: ${message}`);
    expect(result.stderr).not.toContain(VALUE);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    const json = await box.ak(["--json", ...args], { input: Buffer.from(input, "latin1") });
    expect(JSON.parse(json.stderr.split("\n").at(-2) ?? "").error.message).toBe(message);
  });

  it("does not repeat a private key that it takes for an option", async () => {
    const pem = `-----BEGIN PRIVATE KEY-----\n${VALUE}\n-----END PRIVATE KEY-----`;
    for (const args of [
      ["secrets", "set", "A", pem],
      ["secrets", "set", "A", `--${VALUE}`],
      ["secrets", "set", "A", `--vlaue=${VALUE}`],
    ]) {
      const { code, stderr } = await box.ak(args);
      expect(code).toBe(2);
      expect(stderr).not.toContain(VALUE);
    }
  });

  it("takes no more than 16 MiB", async () => {
    const { code, stderr } = await box.ak(["secrets", "set", "A"], { input: Buffer.alloc(17 * 1024 * 1024, "x") });
    expect(code).toBe(5);
    expect(stderr).toContain("Standard input is larger than 16 MiB");
  });
});

describe("help", () => {
  it.each([[[]], [["secrets"]], [["keys"]], [["--help"]]])("is printed for %j", async (args) => {
    const { code, stdout, stderr } = await box.ak(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: autokestra/);
  });

  it.each(COMMANDS.map(({ path }) => path))("of %s says what it does and ends with two examples", async (command) => {
    const { stdout } = await box.ak([...command.split(" "), "--help"]);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(new RegExp(`^Usage: autokestra ${command} `));
    expect(lines[2]).toMatch(/^[A-Z][a-z]+ /);
    expect(lines.slice(-4)).toEqual([
      "Examples:",
      expect.stringContaining(`autokestra ${command}`),
      expect.stringContaining(`autokestra ${command}`),
      "",
    ]);
  });

  it("of a command is also what `help` prints for its names", async () => {
    const { stdout } = await box.ak(["secrets", "set", "--help"]);
    for (const names of [
      ["secrets", "set"],
      ["secret", "set"],
    ]) {
      expect(await box.ak(["help", ...names])).toEqual({ code: 0, stdout, stderr: "" });
    }
  });
});

describe("secrets list", () => {
  it("says when there is none, and makes no store", async () => {
    expect(await box.ak(["secrets", "list"])).toEqual({
      code: 0,
      stdout: "",
      stderr: `No secrets found\nhint: Looked in "${box.folder}/.workflow/secrets".\n`,
    });
    expect((await box.ak(["secrets", "list", "--json"])).stdout).toBe("[]\n");
  });

  it("prints tab-separated lines into a pipe, and JSON", async () => {
    const set = [
      "secrets",
      "set",
      "A",
      "--description",
      "the key",
      "--tag",
      "x",
      "--tag",
      "y",
      "--expires-at",
      "2030-01-01",
    ];
    await box.ak(set, { input: VALUE });
    await box.ak(["secrets", "set", "B", "--type", "bearerToken"], { input: VALUE });
    const { stdout } = await box.ak(["secrets", "list"]);
    const rows = stdout
      .replace(/\n$/, "")
      .split("\n")
      .map((line) => line.split("\t"));
    expect(
      rows.map(([name, type, version, , expires, tags, description]) => [
        name,
        type,
        version,
        expires,
        tags,
        description,
      ]),
    ).toEqual([
      ["A", "apiKey", "1", "2030-01-01T00:00:00.000Z", "x,y", "the key"],
      ["B", "bearerToken", "1", "", "", ""],
    ]);
    const [first] = JSON.parse((await box.ak(["secrets", "list", "--json"])).stdout);
    expect(Object.keys(first)).toEqual(
      "id name type description tags version createdAt updatedAt expiresAt".split(" "),
    );
    expect((await box.ak(["secrets", "list", "--tag", "x", "--tag", "y"])).stdout).toMatch(/^A\t.*\n$/);
    expect((await box.ak(["secrets", "list", "--type", "bearerToken"])).stdout).toMatch(/^B\t.*\n$/);
    expect((await box.ak(["secrets", "list", "--tag", "z"])).stderr).toMatch(/^No secrets found\n/);
  });
});

describe("secrets delete", () => {
  it("does not delete where nobody can be asked, unless it is told to", async () => {
    await box.ak(["secrets", "set", "A"], { input: VALUE });
    expect(await box.ak(["secrets", "delete", "A"])).toMatchObject({
      code: 2,
      stderr: "error: Not at a terminal, so nobody can be asked whether to delete it\nhint: Add --force.\n",
    });
    expect(await value("A")).toBe(VALUE);
    expect(await box.ak(["secrets", "delete", "A", "--force"])).toMatchObject({
      code: 0,
      stderr: "Secret 'A' deleted; for 30 days `autokestra secrets restore A` restores it\n",
    });
    expect((await box.ak(["secrets", "get", "A"])).code).toBe(3);
  });
});

describe("keys", () => {
  it("opens with a passphrase from the environment, and not with another", async () => {
    const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
    await box.ak(["secrets", "set", "A"], { input: VALUE, env });
    expect((await box.ak(["secrets", "get", "A", "-q"], { env })).stdout).toBe(VALUE);
    const other = await box.ak(["secrets", "get", "A"], { env: { AUTOKESTRA_SECRET_KEY: "another passphrase" } });
    expect(other).toMatchObject({ code: 4, stdout: "" });
    expect(other.stderr).toMatch(/^error: The master key from AUTOKESTRA_SECRET_KEY \([0-9a-f]{16}\) is not the key/);
    const none = await box.ak(["secrets", "get", "A"]);
    expect(none).toMatchObject({ code: 4, stdout: "" });
    expect((await box.ak(["secrets", "list"])).stdout).toMatch(/^A\t/);
  });

  it.each(["deadbeef", "hunter2", `${"a".repeat(63)}g`])("refuses the key %j without repeating it", async (key) => {
    const { code, stderr } = await box.ak(["secrets", "set", "A"], {
      input: VALUE,
      env: { AUTOKESTRA_SECRET_KEY: key },
    });
    expect(code).toBe(4);
    expect(stderr).not.toContain(key);
  });
});
