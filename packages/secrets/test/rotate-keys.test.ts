import { chmod, copyFile, cp, link, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { prepareKey } from "@autokestra/secrets-crypto/internal";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { diagnose, openSecretsManager, rotateKeys, type SecretsManager, type SecretsOptions } from "../src/index.ts";

let root: string;
let options: SecretsOptions & { keyFile: string };

beforeEach(() => {
  root = temporaryFolder();
  const home = join(root, "home");
  options = { env: { HOME: home }, storagePath: join(root, "secrets"), keyFile: join(root, "keys", "secret.key") };
});

async function use<T>(work: (manager: SecretsManager) => Promise<T>, more: Partial<SecretsOptions> = {}): Promise<T> {
  const manager = await openSecretsManager({ ...options, ...more });
  try {
    return await work(manager);
  } finally {
    await manager.secrets.close();
  }
}

async function fill(count: number): Promise<void> {
  await use(async ({ secrets }) => {
    const inputs = Array.from({ length: count }, (_, index) => ({
      name: `S${index}`,
      type: "apiKey" as const,
      fields: { value: `value-${index}` },
    }));
    await secrets.setAll(inputs);
  });
}

async function readAll(more: Partial<SecretsOptions> = {}): Promise<unknown[]> {
  return await use(async ({ secrets }) => {
    const values: unknown[] = [];
    for (const { name } of await secrets.list()) values.push((await secrets.get(name)).fields["value"]);
    return values;
  }, more);
}

/** More secrets than two batches have; in the file store, where each call writes all of them, more than one. */
const BACKENDS = [
  ["sqlite", 250, ["100/250", "200/250", "250/250"]],
  ["file", 120, ["100/120", "120/120"]],
] as const;

describe.each(BACKENDS)("rotateKeys with %s", (backend, count, steps) => {
  beforeEach(async () => {
    options = { ...options, backend };
    await fill(count);
  });

  it("puts a new key in the place of the key file: the old one opens nothing, and is kept", async () => {
    const old = await readFile(options.keyFile, "utf8");
    const before = await readAll();
    const report = await rotateKeys(options);
    expect(report.after).not.toBe(report.before);
    expect(report.dataKeys).toMatchObject([{ state: "active", secrets: null }]);
    expect(await readFile(options.keyFile, "utf8")).not.toBe(old);
    expect(await readAll()).toEqual(before);
    const kept = `${options.keyFile}.${report.before}`;
    expect(await readFile(kept, "utf8")).toBe(old);
    expect((await readdir(join(root, "keys"))).toSorted()).toEqual(["secret.key", `secret.key.${report.before}`]);
    await expect(readAll({ keyFile: kept })).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(new RegExp(`${report.before}.*${report.after}`)),
    });
  });

  it("encrypts every secret again under a new data key, destroys the old one, and tells the progress", async () => {
    const progress: string[] = [];
    const onProgress = (done: number, total: number) => void progress.push(`${done}/${total}`);
    const before = await readAll();
    const report = await rotateKeys(options, { dataKey: true, onProgress });
    expect(report.dataKeys).toMatchObject([
      { state: "destroyed", secrets: 0 },
      { state: "active", secrets: count },
    ]);
    expect(progress.slice(0, steps.length)).toEqual(steps);
    expect(await readAll()).toEqual(before);
    const versions = await use(async ({ secrets }) => (await secrets.list()).map(({ version }) => version));
    expect(new Set(versions)).toEqual(new Set([1]));
  });

  it("loses nothing that others write meanwhile, and leaves nothing under an old key", async () => {
    await use(async (writer) => {
      await writer.secrets.get("S0");
      const stop = new AbortController();
      let writes = 0;
      const writing = (async () => {
        while (!stop.signal.aborted) {
          const value = `new-${writes}`;
          await writer.secrets.set({ name: `S${writes % count}`, type: "apiKey", fields: { value } });
          await writer.secrets.set({ name: `N${writes}`, type: "apiKey", fields: { value } });
          writes += 1;
          // SQLite answers at once: without this pause nobody else would get a turn.
          await setImmediate();
        }
      })();
      const report = await rotateKeys(options, { dataKey: true });
      stop.abort();
      await writing;
      expect(writes).toBeGreaterThan(0);
      expect(report.dataKeys.filter(({ state }) => state !== "active").every(({ secrets }) => secrets === 0)).toBe(
        true,
      );
      expect(await writer.secrets.list()).toHaveLength(count + writes);
      for (let write = 0; write < writes; write++) {
        expect((await writer.secrets.get(`N${write}`)).fields["value"]).toBe(`new-${write}`);
      }
    });
    const findings = await use(async (manager) => await diagnose(manager));
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
  });

  it("ends well where two rotations run at once", async () => {
    const before = await readAll();
    const outcomes = await Promise.allSettled([1, 2].map(async () => await rotateKeys(options, { dataKey: true })));
    const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    expect(failures.every((code) => code === "HEADER_CHANGED")).toBe(true);
    expect(outcomes.length - failures.length).toBeGreaterThan(0);
    expect(await readAll()).toEqual(before);
    const report = await rotateKeys(options, { dataKey: true });
    expect(report.dataKeys.filter(({ state }) => state === "decrypt-only")).toEqual([]);
    expect(await readAll()).toEqual(before);
  });

  it("names the keys where a store from before a rotation is put back, and opens it with the old key", async () => {
    const before = await readAll();
    await cp(options.storagePath ?? "", join(root, "backup"), { recursive: true });
    const report = await rotateKeys(options, { dataKey: true });
    await rm(options.storagePath ?? "", { recursive: true });
    await cp(join(root, "backup"), options.storagePath ?? "", { recursive: true });
    await expect(readAll()).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(/\([0-9a-f]{16}\)/),
    });
    expect(await readAll({ keyFile: `${options.keyFile}.${report.before}` })).toEqual(before);
  });
});

describe("rotateKeys", () => {
  it("takes the new key from a file, made if it is not there, and leaves the old file alone", async () => {
    await fill(3);
    const old = await readFile(options.keyFile, "utf8");
    const newKeyFile = join(root, "new.key");
    const report = await rotateKeys(options, { newKeyFile });
    expect(report.keyFile).toBe(newKeyFile);
    expect(await readFile(options.keyFile, "utf8")).toBe(old);
    await expect(readAll()).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect(await readAll({ keyFile: newKeyFile })).toHaveLength(3);
  });

  it("changes from a passphrase to a key and back", async () => {
    const env = { ...options.env, AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
    const place = { ...options, keyFile: undefined, env };
    await use(
      async ({ secrets }) => await secrets.set({ name: "S0", type: "apiKey", fields: { value: "v-0" } }),
      place,
    );
    await expect(rotateKeys(place)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const newKeyFile = join(root, "new.key");
    await rotateKeys(place, { newKeyFile });
    await expect(readAll(place)).rejects.toMatchObject({ code: "KEY_WRONG" });
    const words = join(root, "words");
    await writeFile(words, "another long passphrase\n", { mode: 0o600 });
    await rotateKeys({ ...options, keyFile: newKeyFile }, { newKeyFile: words });
    expect(await readAll({ keyFile: words })).toEqual(["v-0"]);
  });

  it("K16: makes nothing where there is no store", async () => {
    await expect(rotateKeys(options)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await readdir(root)).toEqual([]);
  });

  it.each<[string, () => Promise<string>, string]>([
    ["the key in use", async () => options.keyFile, "OPTION_INVALID"],
    ["a copy of it", async () => await copyOfKey(copyFile), "OPTION_INVALID"],
    ["a hard link to it", async () => await copyOfKey(link), "OPTION_INVALID"],
    ["a link to it", async () => await copyOfKey(symlink), "KEY_UNREADABLE"],
    ["a file in the secrets folder", async () => join(root, "secrets", "new.key"), "KEY_UNREADABLE"],
    ["a file in a folder where everybody writes", async () => join(await openFolder(), "new.key"), "KEY_UNREADABLE"],
  ])("K17: refuses %s as the new key, and leaves nothing behind", async (_, newKey, code) => {
    await fill(1);
    const newKeyFile = await newKey();
    const before = await readdir(root, { recursive: true });
    await expect(rotateKeys(options, { newKeyFile })).rejects.toMatchObject({ code });
    expect(await readdir(root, { recursive: true })).toEqual(before);
    expect(await readAll()).toHaveLength(1);
  });

  it("K15: is finished by running it again, where it was killed after the header had changed", async () => {
    await fill(3);
    const newKeyFile = join(root, "new.key");
    const { before } = await rotateKeys(options, { newKeyFile });
    const again = await rotateKeys(options, { newKeyFile, dataKey: true });
    expect(again).toMatchObject({ before, keyFile: newKeyFile, isComplete: true });
    expect(await readAll({ keyFile: newKeyFile })).toHaveLength(3);
    await expect(readAll()).rejects.toMatchObject({ code: "KEY_WRONG" });
  });

  it("K15: ends between two batches where it is told to, and is finished by running it again", async () => {
    await fill(250);
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    const report = await rotateKeys(options, { dataKey: true, signal: stop.signal, onProgress });
    expect(report).toMatchObject({ isComplete: false });
    expect(report.dataKeys.map(({ state, secrets }) => [state, secrets])).toEqual([
      ["decrypt-only", null],
      ["active", null],
    ]);
    expect(await readAll()).toHaveLength(250);
    const { dataKeys } = await rotateKeys(options, { dataKey: true });
    expect(dataKeys.filter(({ state }) => state === "decrypt-only")).toEqual([]);
  });

  it.each([
    ["in place", false],
    ["in a new file", true],
  ])("K15: says that the master key was replaced %s if a record is found that was changed", async (_, isNamed) => {
    options = { ...options, backend: "file" };
    await fill(2);
    const document = join(root, "secrets", "secrets.json");
    await writeFile(document, (await readFile(document, "utf8")).replace('"S1"', '"S2"'));
    const newKeyFile = isNamed ? join(root, "new.key") : undefined;
    const error = await rotateKeys(options, { newKeyFile, dataKey: true }).catch((reason: unknown) => reason);
    const { value, fingerprint } = await use(
      async ({ keys, secrets }) => ({
        value: (await secrets.get("S0")).fields["value"],
        fingerprint: (await keys.keyring()).fingerprint,
      }),
      { keyFile: newKeyFile ?? options.keyFile },
    );
    expect(value).toBe("value-0");
    const place = newKeyFile === undefined ? "its file is found without being named" : JSON.stringify(newKeyFile);
    expect(error).toMatchObject({
      code: "INTEGRITY_FAILED",
      hint: expect.stringMatching(`replaced before that by ${fingerprint}.*${place}`),
    });
    await expect(rotateKeys({ ...options, keyFile: join(root, "none.key") })).rejects.toMatchObject({
      hint: expect.not.stringContaining("replaced"),
    });
  });

  describe("with other stores under the same key", () => {
    const other = () => ({ storagePath: join(root, "other") });

    beforeEach(async () => {
      await fill(2);
      await use(async ({ secrets }) => {
        await secrets.set({ name: "O", type: "apiKey", fields: { value: "of another" } });
      }, other());
    });

    it("K33: does not replace a given file that they need, and names them", async () => {
      const before = await readFile(options.keyFile, "utf8");
      await expect(rotateKeys(options)).rejects.toMatchObject({
        code: "OPTION_INVALID",
        message: expect.stringContaining(JSON.stringify(join(root, "other"))),
      });
      expect(await readFile(options.keyFile, "utf8")).toBe(before);
      expect(await readdir(join(root, "keys"))).toEqual(["secret.key"]);
      expect(await readAll()).toHaveLength(2);
      expect(await readAll(other())).toEqual(["of another"]);
    });

    it("K33: rotates all of them together", async () => {
      const report = await rotateKeys(options, { allStores: true });
      expect(report.otherStores).toEqual([join(root, "other")]);
      expect(await readAll()).toHaveLength(2);
      expect(await readAll(other())).toEqual(["of another"]);
      await expect(rotateKeys(options)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    });

    it("K4: locks none of them out where the default key is replaced", async () => {
      const place = { ...options, keyFile: undefined, storagePath: join(root, "one") };
      const two = { ...place, storagePath: join(root, "two") };
      const set = async (more: Partial<SecretsOptions>) =>
        await use(async ({ secrets }) => {
          await secrets.set({ name: "D", type: "apiKey", fields: { value: "d" } });
        }, more);
      await set(place);
      await set(two);
      const { before, after } = await rotateKeys(place);
      const notices: string[] = [];
      expect(await readAll({ ...two, onNotice: (text) => void notices.push(text) })).toEqual(["d"]);
      expect(notices).toEqual([expect.stringContaining(before)]);
      await set(two);
      expect(await readAll(place)).toEqual(["d"]);
      const second = await rotateKeys(two);
      expect(second.before).toBe(before);
      expect(await readAll(two)).toEqual(["d"]);
      expect(await readAll({ ...place, onNotice: (text) => void notices.push(text) })).toEqual(["d"]);
      expect(notices.at(-1)).toContain(after);
    });

    it("K13: keeps the pending key of a rotation that was killed, whatever is rotated later", async () => {
      const one = { ...options, keyFile: undefined, storagePath: join(root, "one") };
      const two = { ...one, storagePath: join(root, "two") };
      for (const place of [one, two])
        await use(async ({ secrets }) => {
          await secrets.set({ name: "D", type: "apiKey", fields: { value: "d" } });
        }, place);
      const keyFile = join(root, "home", ".autokestra", "secret.key");
      // Killed between header and key file.
      const { before } = await use(async ({ keys }) => {
        const prepared = await prepareKey(keyFile, (await keys.keyring()).fingerprint);
        await keys.rotateMasterKey(prepared.key);
        return { before: prepared.fingerprint };
      }, one);
      await rotateKeys(two);
      expect(await readAll(one)).toEqual(["d"]);
      expect(await readdir(join(root, "home", ".autokestra"))).toContain(`secret.key.${before}.new`);
      await rotateKeys(one);
      expect(await readAll(one)).toEqual(["d"]);
      expect(await readAll(two)).toEqual(["d"]);
    });
  });

  async function copyOfKey(make: (from: string, to: string) => Promise<void>): Promise<string> {
    const path = join(root, "copy.key");
    await make(options.keyFile, path);
    return path;
  }

  async function openFolder(): Promise<string> {
    const folder = join(root, "open");
    await mkdir(folder);
    await chmod(folder, 0o777);
    return folder;
  }
});
