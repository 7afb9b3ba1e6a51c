import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { prepareKey } from "@autokestra/secrets-crypto/internal";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  backUpStore,
  diagnose,
  listKeys,
  openSecrets,
  restoreBackup,
  rotateKeys,
  type SecretsOptions,
} from "../src/index.ts";
import {
  apiKey,
  expectRefusal,
  makeRoot,
  type NamedCall,
  openingCalls,
  type Place,
  placeAt,
  use,
} from "./attacked-place.ts";
import { readStored } from "./stored-content.ts";

const FINGERPRINT = "[0-9a-f]{16}";
let place: Place;
let options: SecretsOptions;
let home: string;

beforeEach(async () => {
  place = placeAt(await makeRoot());
  ({ options } = place);
  home = join(place.root, "home");
  await use(options, async ({ secrets }) => {
    for (const value of ["a1", "a2"]) await secrets.set(apiKey("A", value));
    await secrets.set(apiKey("GONE", "gone"));
    await secrets.delete("GONE");
  });
});

afterEach(async () => {
  chmodSync(place.keyFolder, 0o700);
  await rm(place.root, { recursive: true, force: true });
});

function fingerprint(): string {
  return JSON.parse(readStored(place.folder).header ?? "").fingerprint;
}

async function read(from: SecretsOptions = options): Promise<unknown> {
  return await use({ ...from, create: false }, async ({ secrets }) => (await secrets.get("A")).fields["value"]);
}

/** All files below a folder, with what they hold. */
function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
  const files = names.filter((name) => statSync(join(folder, name)).isFile() && !/-(wal|shm)$/.test(name));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));
}

function putKey(name: string, key: string = randomBytes(32).toString("hex")): string {
  const path = join(place.root, name);
  writeFileSync(path, key, { mode: 0o600 });
  return path;
}

/** A rotation that is killed between the change of the header and that of the key file. */
async function rotateHalfway(): Promise<string> {
  return await use(options, async ({ keys }) => {
    const prepared = await prepareKey(join(place.keyFolder, "secret.key"), fingerprint());
    await keys.rotateMasterKey(prepared.key);
    return prepared.fingerprint;
  });
}

const OPENING: readonly NamedCall[] = [
  ...openingCalls("GONE"),
  ["delete", async (secrets) => await secrets.delete("A")],
];

/** Each way to give another key than that of the store, with what the message calls it. */
const WRONG: readonly (readonly [string, () => SecretsOptions])[] = [
  ["AUTOKESTRA_SECRET_KEY", () => ({ env: { HOME: home, AUTOKESTRA_SECRET_KEY: randomBytes(32).toString("hex") } })],
  ["wrong\\.key", () => ({ env: { HOME: home, AUTOKESTRA_SECRET_KEY_FILE: putKey("wrong.key") } })],
  ["wrong\\.key", () => ({ keyFile: putKey("wrong.key") })],
  [
    "AUTOKESTRA_SECRET_KEY",
    () => ({
      env: {
        HOME: home,
        AUTOKESTRA_SECRET_KEY: randomBytes(32).toString("hex"),
        AUTOKESTRA_SECRET_KEY_FILE: join(place.keyFolder, "secret.key"),
      },
    }),
  ],
];

describe.each(WRONG)("K1, K31: another key that is given (%s)", (source, give) => {
  let given: SecretsOptions;
  let wrong: object;

  beforeEach(() => {
    given = { ...options, ...give() };
    wrong = {
      code: "KEY_WRONG",
      message: expect.stringMatching(new RegExp(`${source} \\(${FINGERPRINT}\\) is not .*, which is ${fingerprint()}`)),
      hint: expect.stringMatching(/Looked at: /),
    };
  });

  it("opens nothing, writes nothing, and is named with both fingerprints", async () => {
    const before = filesIn(place.root);
    await use({ ...given, create: false }, async ({ secrets }) => {
      for (const [what, open] of OPENING) await expect(open(secrets), what).rejects.toMatchObject(wrong);
    });
    await expect(rotateKeys(given, { dataKey: true })).rejects.toMatchObject(wrong);
    expect(filesIn(place.root)).toEqual(before);
    expect(await read()).toBe("a2");
  });

  it("is found wrong by restoring a backup, and by the doctor", async () => {
    const backup = join(place.root, "backup");
    await backUpStore(options, backup);
    const before = filesIn(place.root);
    await expect(restoreBackup(given, backup)).rejects.toMatchObject(wrong);
    expect((await use({ ...given, create: false }, diagnose)).at(-1)).toMatchObject({ status: "failure" });
    expect(filesIn(place.root)).toEqual(before);
  });

  it("does not get a store that it cannot open", async () => {
    const backup = join(place.root, "backup");
    await backUpStore(options, backup);
    const anew = { ...given, storagePath: join(place.root, "anew") };
    await expect(restoreBackup(anew, backup)).rejects.toMatchObject(wrong);
    expect(readdirSync(join(place.root, "anew"))).toEqual([]);
  });

  it("leaves the key of a killed rotation where it is", async () => {
    const prepared = await rotateHalfway();
    const before = filesIn(place.root);
    await expect(read(given)).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect(filesIn(place.root)).toEqual(before);
    expect(readdirSync(place.keyFolder)).toContain(`secret.key.${prepared}.new`);
    expect(await read()).toBe("a2");
  });
});

describe("K3: the variable", () => {
  it("serves every opening in one process, is gone from the environment, and may be set anew", async () => {
    const first = randomBytes(32).toString("hex");
    const env: NodeJS.ProcessEnv = { HOME: home, AUTOKESTRA_SECRET_KEY: first };
    const given = { ...options, env, storagePath: join(place.root, "other") };
    const secrets = await openSecrets(given);
    expect(Object.keys(env)).toEqual(["HOME"]);
    await secrets.set(apiKey("A", "one"));
    await secrets.close();
    expect(await Promise.all([read(given), read(given), read(given)])).toEqual(["one", "one", "one"]);
    await expect(read({ ...given, storagePath: place.folder })).rejects.toMatchObject({ code: "KEY_WRONG" });
    env["AUTOKESTRA_SECRET_KEY"] = randomBytes(32).toString("hex");
    await expect(read(given)).rejects.toMatchObject({ code: "KEY_WRONG" });
    env["AUTOKESTRA_SECRET_KEY"] = first;
    expect(await read(given)).toBe("one");
    expect(Object.keys(env)).toEqual(["HOME"]);
  });

  it("stays where its owner wants it to", async () => {
    const env: NodeJS.ProcessEnv = { HOME: home, AUTOKESTRA_SECRET_KEY: randomBytes(32).toString("hex") };
    const given = { ...options, env, storagePath: join(place.root, "other"), keepInEnvironment: true };
    await use(given, async ({ secrets }) => await secrets.set(apiKey("A", "one")));
    expect(Object.keys(env)).toContain("AUTOKESTRA_SECRET_KEY");
    expect(await read(given)).toBe("one");
  });
});

it("K5: one key has one fingerprint, in the header, in every message and in every name of a file", async () => {
  const stored = fingerprint();
  const found = new Set([stored]);
  const note = (text: string) => void found.add(new RegExp(FINGERPRINT).exec(text)?.[0] ?? text);
  const lines = (await use(options, diagnose)).filter(({ subject }) => subject === "key");
  for (const { message } of lines) note(message);
  const other = { ...options, storagePath: join(place.root, "other") };
  await use(other, async ({ secrets }) => await secrets.set(apiKey("A", "one")));
  note(JSON.parse(readStored(join(place.root, "other")).header ?? "").fingerprint);
  for (const { fingerprint: listed } of (await listKeys(options)).keys) note(listed ?? "none");
  const keyFile = putKey("wrong.key");
  const backup = join(place.root, "backup");
  await backUpStore(options, backup);
  for (const attempt of [read({ ...options, keyFile }), restoreBackup({ ...options, keyFile }, backup)]) {
    const { message } = await attempt.then(
      () => new Error("it opens"),
      (error: Error) => error,
    );
    note(message.slice(message.indexOf("which is")));
  }
  const { before } = await rotateKeys(options);
  note(before);
  for (const name of readdirSync(place.keyFolder).filter((one) => one.startsWith("secret.key."))) note(name);
  expect([...found]).toEqual([stored]);
});

describe("K19: where there is no key, every place that was looked at is named, in order", () => {
  const nowhere = () => join(place.root, "nowhere");
  const folder = () => join(nowhere(), ".autokestra", "secret.key");

  it.each<[string, () => SecretsOptions, () => string]>([
    [
      "nothing is set",
      () => ({ env: { HOME: nowhere() } }),
      () => `AUTOKESTRA_SECRET_KEY (not set); AUTOKESTRA_SECRET_KEY_FILE (not set); ${folder()} (no such file).`,
    ],
    [
      "the variable names no file",
      () => ({ env: { HOME: nowhere(), AUTOKESTRA_SECRET_KEY_FILE: "/typo" } }),
      () => "AUTOKESTRA_SECRET_KEY (not set); AUTOKESTRA_SECRET_KEY_FILE: /typo (no such file).",
    ],
    [
      "the option names no file",
      () => ({ env: { HOME: nowhere() }, keyFile: "/typo" }),
      () => "the key file that was named: /typo (no such file).",
    ],
    [
      "there is no key folder",
      () => ({ env: { HOME: nowhere() }, keyFolder: null }),
      () => "AUTOKESTRA_SECRET_KEY (not set); AUTOKESTRA_SECRET_KEY_FILE (not set).",
    ],
  ])("%s", async (_, give, places) => {
    const keyless = { ...options, ...give(), create: false };
    await use(keyless, async ({ secrets }) => {
      for (const [what, open] of OPENING.filter(([name]) => name !== "delete")) {
        await expect(open(secrets), what).rejects.toMatchObject({
          code: "KEY_MISSING",
          message: expect.stringContaining(fingerprint()),
          hint: expect.stringContaining(`Looked at: ${places()}`),
        });
      }
      expect(await secrets.list()).toHaveLength(1);
      await secrets.delete("A");
    });
    expect(existsSync(nowhere())).toBe(false);
  });

  it("counts other keys, which are none of this store", async () => {
    mkdirSync(join(nowhere(), ".autokestra"), { recursive: true, mode: 0o700 });
    for (const name of ["secret.key", "one", "two"]) putKey(join("nowhere", ".autokestra", name));
    const attempt = read({ ...options, env: { HOME: nowhere() } });
    await expect(attempt).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringContaining(fingerprint()),
      hint: expect.stringMatching(/secret\.key \(a key\); 2 other key files in .*nowhere/),
    });
  });
});

describe("keys of other stores that were only found", () => {
  const found = () => ({ ...options, env: { HOME: join(place.root, "other-home") }, create: false });

  beforeEach(() => {
    mkdirSync(join(place.root, "other-home", ".autokestra"), { recursive: true, mode: 0o700 });
    for (const name of ["secret.key", "kept"]) putKey(join("other-home", ".autokestra", name));
  });

  it("open nothing", async () => {
    await use(found(), async ({ secrets }) => {
      for (const [what, open] of OPENING.filter(([name]) => name !== "delete")) {
        await expect(open(secrets), what).rejects.toMatchObject({ code: "KEY_WRONG" });
      }
    });
  });

  it("are none for what needs no key: list, versions, delete, purge", async () => {
    await use(found(), async ({ secrets }) => {
      expect(await secrets.list()).toHaveLength(1);
      expect(await secrets.versions("A")).toHaveLength(2);
      await secrets.delete("A");
      expect(await secrets.list({ state: "deleted" })).toHaveLength(2);
      await secrets.delete("GONE", { purge: true });
    });
    await use(options, async ({ secrets }) => {
      expect(await secrets.list()).toEqual([]);
      await secrets.restore("A");
    });
    expect(await read()).toBe("a2");
  });

  it("are told by doctor, as one failure of the key", async () => {
    const failures = (await use(found(), diagnose)).filter(({ status }) => status === "failure");
    expect(failures).toMatchObject([{ subject: "key", code: "KEY_WRONG" }]);
  });
});

describe("K20: after a killed rotation", () => {
  it("reads work with the key that it has prepared, and write nothing, where the key folder is read-only", async () => {
    const prepared = await rotateHalfway();
    chmodSync(place.keyFolder, 0o500);
    const before = filesIn(place.root);
    const notices: string[] = [];
    const onNotice = (text: string) => void notices.push(text);
    for (const from of [options, { ...options, keyFile: join(place.keyFolder, "secret.key") }]) {
      expect(await read({ ...from, onNotice })).toBe("a2");
      const findings = await use({ ...from, create: false }, diagnose);
      expect(findings.filter(({ status }) => status === "failure")).toEqual([]);
    }
    expect(notices.join()).toContain(prepared);
    expect(filesIn(place.root)).toEqual(before);
  });

  it("the next one puts that key in place, and keeps the one before", async () => {
    const before = fingerprint();
    const prepared = await rotateHalfway();
    const { after } = await rotateKeys(options);
    expect(await read()).toBe("a2");
    const names = readdirSync(place.keyFolder);
    expect(names).toEqual(expect.arrayContaining(["secret.key", `secret.key.${before}`]));
    expect([prepared, fingerprint()]).toContain(after);
    await expectRefusal(
      read({ ...options, keyFile: join(place.keyFolder, `secret.key.${before}`) }),
      "get",
      "KEY_WRONG",
    );
  });
});
