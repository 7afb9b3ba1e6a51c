import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diagnose, type Installation, openInstallation, rotateKeys, type SecretsOptions } from "../../src/index.ts";

let root: string;
let options: SecretsOptions & { keyFile: string };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "autokestra-rotate-"));
  options = { env: {}, storagePath: join(root, "secrets"), keyFile: join(root, "keys", "secret.key") };
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function use<T>(
  work: (installation: Installation) => Promise<T>,
  more: Partial<SecretsOptions> = {},
): Promise<T> {
  const installation = await openInstallation({ ...options, ...more });
  try {
    return await work(installation);
  } finally {
    await installation.secrets.close();
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

describe.each(["sqlite", "file"])("rotateKeys with %s", (backend) => {
  beforeEach(async () => {
    options = { ...options, backend };
    await fill(250);
  });

  it("puts a new key in the place of the key file: the old one opens nothing, and is kept", async () => {
    const old = await readFile(options.keyFile, "utf8");
    const before = await readAll();
    const report = await use(async (installation) => await rotateKeys(installation));
    expect(report.after).not.toBe(report.before);
    expect(report.dataKeys).toMatchObject([{ state: "active", secrets: null }]);
    expect(await readFile(options.keyFile, "utf8")).not.toBe(old);
    expect(await readAll()).toEqual(before);
    const [kept = ""] = (await readdir(join(root, "keys"))).filter((name) => name.endsWith(".old"));
    expect(await readFile(join(root, "keys", kept), "utf8")).toBe(old);
    await expect(readAll({ keyFile: join(root, "keys", kept) })).rejects.toMatchObject({ code: "KEY_WRONG" });
  });

  it("seals every secret anew under a new data key, destroys the old one, and tells the progress", async () => {
    const progress: string[] = [];
    const onProgress = (done: number, total: number) => void progress.push(`${done}/${total}`);
    const before = await readAll();
    const report = await use(async (installation) => await rotateKeys(installation, { dataKey: true, onProgress }));
    expect(report.dataKeys).toMatchObject([
      { state: "destroyed", secrets: 0 },
      { state: "active", secrets: 250 },
    ]);
    expect(progress.slice(0, 3)).toEqual(["100/250", "200/250", "250/250"]);
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
          await writer.secrets.set({ name: `S${writes % 250}`, type: "apiKey", fields: { value } });
          await writer.secrets.set({ name: `N${writes}`, type: "apiKey", fields: { value } });
          writes += 1;
          // SQLite answers at once: without this pause nobody else would get a turn.
          await setImmediate();
        }
      })();
      const report = await use(async (installation) => await rotateKeys(installation, { dataKey: true }));
      stop.abort();
      await writing;
      expect(writes).toBeGreaterThan(0);
      expect(report.dataKeys.filter(({ state }) => state !== "active").every(({ secrets }) => secrets === 0)).toBe(
        true,
      );
      expect(await writer.secrets.list()).toHaveLength(250 + writes);
      for (let write = 0; write < writes; write++) {
        expect((await writer.secrets.get(`N${write}`)).fields["value"]).toBe(`new-${write}`);
      }
    });
    const findings = await use(async (installation) => await diagnose(installation));
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
  });

  it("ends well where two rotations run at once", async () => {
    const before = await readAll();
    const outcomes = await Promise.allSettled(
      [1, 2].map(async () => await use(async (installation) => await rotateKeys(installation, { dataKey: true }))),
    );
    const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    expect(failures.every((code) => code === "HEADER_CHANGED")).toBe(true);
    expect(outcomes.length - failures.length).toBeGreaterThan(0);
    expect(await readAll()).toEqual(before);
    const report = await use(async (installation) => await rotateKeys(installation, { dataKey: true }));
    expect(report.dataKeys.filter(({ state }) => state === "decrypt-only")).toEqual([]);
    expect(await readAll()).toEqual(before);
  });

  it("names the keys where a store from before a rotation is put back, and opens it with the old key", async () => {
    const before = await readAll();
    await cp(options.storagePath ?? "", join(root, "backup"), { recursive: true });
    await use(async (installation) => await rotateKeys(installation, { dataKey: true }));
    await rm(options.storagePath ?? "", { recursive: true });
    await cp(join(root, "backup"), options.storagePath ?? "", { recursive: true });
    await expect(readAll()).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(/\([0-9a-f]{8}\)/),
    });
    const [kept = ""] = (await readdir(join(root, "keys"))).filter((name) => name.endsWith(".old"));
    expect(await readAll({ keyFile: join(root, "keys", kept) })).toEqual(before);
  });
});

describe("rotateKeys", () => {
  it("takes the new key from a file, made if it is not there, and leaves the old file alone", async () => {
    await fill(3);
    const old = await readFile(options.keyFile, "utf8");
    const newKeyFile = join(root, "new.key");
    const report = await use(async (installation) => await rotateKeys(installation, { newKeyFile }));
    expect(report.keyFile).toBe(newKeyFile);
    expect(await readFile(options.keyFile, "utf8")).toBe(old);
    await expect(readAll()).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect(await readAll({ keyFile: newKeyFile })).toHaveLength(3);
  });

  it("changes from a passphrase to a key and back", async () => {
    const passphrase = () => ({ AUTOKESTRA_SECRET_KEY: "correct horse battery staple" });
    const place = { keyFile: join(root, "none"), env: passphrase() };
    await use(
      async ({ secrets }) => await secrets.set({ name: "S0", type: "apiKey", fields: { value: "v-0" } }),
      place,
    );
    const attempt = use(async (installation) => await rotateKeys(installation), { ...place, env: passphrase() });
    await expect(attempt).rejects.toMatchObject({ code: "USAGE" });
    const newKeyFile = join(root, "new.key");
    await use(async (installation) => await rotateKeys(installation, { newKeyFile }), { ...place, env: passphrase() });
    await expect(readAll({ ...place, env: passphrase() })).rejects.toMatchObject({ code: "KEY_WRONG" });
    const words = join(root, "words");
    await writeFile(words, "another long passphrase\n", { mode: 0o600 });
    await use(async (installation) => await rotateKeys(installation, { newKeyFile: words }), { keyFile: newKeyFile });
    expect(await readAll({ keyFile: words })).toEqual(["v-0"]);
  });

  it("refuses the key that is in use as the new one", async () => {
    await fill(1);
    const attempt = use(async (installation) => await rotateKeys(installation, { newKeyFile: options.keyFile }));
    await expect(attempt).rejects.toMatchObject({ code: "USAGE" });
  });
});
