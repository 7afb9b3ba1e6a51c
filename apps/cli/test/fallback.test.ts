import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
let places: { readonly command: string; readonly secrets: string };

/** Takes away what is built into Node.js; Node.js 20 has neither. */
const WITHOUT_BUILT_IN = process.allowedNodeEnvironmentFlags.has("--experimental-sqlite")
  ? { NODE_OPTIONS: "--no-experimental-sqlite" }
  : {};

/** The command where no better-sqlite3 is installed. */
beforeEach(() => {
  box = createSandbox();
  cpSync(dirname(CLI), join(box.folder, "dist"), { recursive: true });
  writeFileSync(join(box.folder, "package.json"), '{"type":"module"}');
  places = { command: join(box.folder, "dist", "autokestra.cjs"), secrets: join(box.folder, ".workflow", "secrets") };
});

afterEach(() => box.remove());

describe("without any SQLite", () => {
  it("secrets are kept in a file, which is said once, remembered, and told by doctor", async () => {
    const set = async (name: string) =>
      await box.ak(["secrets", "set", name], { input: `value of ${name}`, cli: places.command, env: WITHOUT_BUILT_IN });
    const first = await set("A");
    expect(first.code).toBe(0);
    expect(first.stderr).toContain(
      `note: SQLite cannot be loaded here: secrets are stored in ${join(places.secrets, "secrets.json")}\n`,
    );
    expect(await set("B")).toEqual({
      code: 0,
      stdout: "",
      stderr: "Secret 'B' stored (apiKey, version 1): 1 line, 10 characters\n",
    });
    expect((await box.ak(["secrets", "get", "A", "-q"], { cli: places.command, env: WITHOUT_BUILT_IN })).stdout).toBe(
      "value of A",
    );
    const doctor = await box.ak(["doctor"], { cli: places.command, env: WITHOUT_BUILT_IN });
    expect(doctor.code).toBe(0);
    expect(doctor.stdout).toContain("warning store   SQLite could not be used when this store was created");
    // Where SQLite is there, the folder keeps to its store.
    expect((await box.ak(["secrets", "get", "B", "-q"])).stdout).toBe("value of B");
    expect(existsSync(join(places.secrets, "secrets.db"))).toBe(false);
    expect((await box.ak(["secrets", "migrate", "--to", "sqlite"])).code).toBe(0);
    expect((await box.ak(["secrets", "get", "B", "-q"])).stdout).toBe("value of B");
    expect((await box.ak(["doctor"])).stdout).not.toContain("warning");
  });

  it("a store that is in SQLite is an error, and no second one is made", async () => {
    await box.ak(["secrets", "set", "A"], { input: "value of A" });
    for (const args of [
      ["secrets", "list"],
      ["secrets", "get", "A"],
      ["secrets", "set", "B", "value"],
      ["secrets", "migrate", "--to", "file"],
    ]) {
      const { code, stdout, stderr } = await box.ak(args, { cli: places.command, env: WITHOUT_BUILT_IN });
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(
        "error: SQLite cannot be used: better-sqlite3 is not installed (ERR_MODULE_NOT_FOUND)\n",
      );
    }
    expect(existsSync(join(places.secrets, "secrets.json"))).toBe(false);
    expect(readFileSync(join(places.secrets, "backend"), "utf8")).toBe("sqlite\n");
  });

  it("SQLite is an error where it was asked for, and nothing is made", async () => {
    mkdirSync(places.secrets, { recursive: true, mode: 0o700 });
    const asked = await box.ak(["secrets", "set", "A", "--storage-backend", "sqlite"], {
      input: "v",
      cli: places.command,
      env: WITHOUT_BUILT_IN,
    });
    expect(asked.code).toBe(1);
    expect(asked.stderr).toMatch(/hint: Install better-sqlite3 .*, or use Node\.js 24\.16 or later/);
    expect(existsSync(join(places.secrets, "secrets.json"))).toBe(false);
  });
});

it("without better-sqlite3, secrets are in the SQLite of Node.js 24.16 and later, which doctor names", async () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isBuiltIn = major > 24 || (major === 24 && minor >= 16);
  const set = await box.ak(["secrets", "set", "A"], { input: "value of A", cli: places.command });
  expect(set).toMatchObject({
    code: 0,
    stderr: isBuiltIn ? expect.not.stringContaining("Warning") : expect.anything(),
  });
  expect(existsSync(join(places.secrets, isBuiltIn ? "secrets.db" : "secrets.json"))).toBe(true);
  const doctor = await box.ak(["doctor"], { cli: places.command });
  expect(doctor.stdout).toMatch(
    isBuiltIn ? /ok {6}store {3}SQLite 3\.\d+\.\d+ \(node:sqlite\), / : /the file store is used instead/,
  );
  expect(doctor.stderr).not.toContain("Warning");
});
