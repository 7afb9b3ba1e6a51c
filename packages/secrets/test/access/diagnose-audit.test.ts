import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, expect, it } from "vitest";
import { openDatabase } from "../../../sqlite/test/open-database.ts";
import { diagnoseAudit, openSecretsManager, type SecretsManager, type SecretsOptions } from "../../src/index.ts";

let options: SecretsOptions;

beforeEach(() => {
  const root = temporaryFolder();
  options = { env: {}, storagePath: join(root, "secrets"), keyFolder: join(root, "keys"), audit: true };
});

async function open<T>(use: (manager: SecretsManager) => Promise<T>, more: SecretsOptions = {}): Promise<T> {
  const manager = await openSecretsManager({ ...options, ...more });
  try {
    return await use(manager);
  } finally {
    await manager.secrets.close();
  }
}

const finding = async (more: SecretsOptions = {}) => await open(diagnoseAudit, more);

async function read(count: number): Promise<void> {
  await open(async ({ secrets }) => {
    await secrets.set({ name: "A", type: "apiKey", fields: { value: "s3cret" } });
    for (let index = 0; index < count; index++) await secrets.get("A");
  });
}

function sql(statement: string): void {
  const database = openDatabase(join(String(options.storagePath), "access.db"));
  database.exec(statement);
  database.close();
}

it("says whether the log is on, how much it has, and how old its anchor is", async () => {
  const off = { status: "ok", code: null, message: expect.stringMatching(/^off: /) };
  expect(await finding({ audit: false })).toMatchObject(off);
  expect(await diagnoseAudit(await openSecretsManager({ ...options, audit: false, backend: "file" }))).toMatchObject(
    off,
  );
  expect(await finding()).toMatchObject({ status: "ok", code: null, message: "on, no records yet" });
  await read(1);
  expect((await finding()).message).toMatch(
    /^on, 3 records: verified; the store remembers the last one, of \d+ seconds? ago$/,
  );
  expect((await finding({ audit: false })).message).toMatch(
    /^off here, though the store remembers a log, 3 records: verified; /,
  );
  const behind = await open(async (manager) => {
    for (let index = 0; index < 2; index++) await manager.secrets.get("A");
    return await diagnoseAudit(manager);
  });
  expect(behind.message).toMatch(/^on, 5 records: verified; the store remembers record 3 of 5, of \d+ seconds? ago$/);
});

it.each([
  [180_000, "3 minutes"],
  [3 * 3_600_000, "3 hours"],
  [5 * 86_400_000, "5 days"],
  [-3_600_000, "0 seconds"],
])("tells an age of %i ms as %s", async (ms, text) => {
  const time = new Date(Date.now() - ms).toISOString();
  await read(0);
  await open(async ({ audit, keys }) => {
    await keys.keyring();
    await audit?.record({ time, actor: { kind: "system", id: null, address: null }, action: "list", outcome: "done" });
  });
  expect((await finding()).message).toContain(`the store remembers the last one, of ${text} ago`);
});

it("says so where the store does not know of any record yet", async () => {
  const message = await open(async (manager) => {
    // As for a token: there is a key before there is a record.
    await manager.keys.forEncrypt(0);
    await manager.secrets.set({ name: "A", type: "apiKey", fields: { value: "s3cret" } });
    return (await diagnoseAudit(manager)).message;
  });
  expect(message).toBe("on, 2 records: verified; the store remembers none of them yet");
});

it("says what is wrong, and what to do", async () => {
  await read(2);
  sql("UPDATE audit SET actor_id = 'somebody else' WHERE seq = 3");
  expect(await finding()).toMatchObject({
    status: "failure",
    subject: "audit",
    code: "INTEGRITY_FAILED",
    message: expect.stringMatching(/^on, and does not verify: record 3: changed/),
    hint: expect.stringContaining("Keep a copy of access.db"),
  });
  sql("DELETE FROM audit WHERE seq > 1");
  expect((await finding()).message).toBe("on, and does not verify: one of the records 2 to 4: removed from the end");
  rmSync(join(String(options.storagePath), "access.db"));
  expect((await finding()).message).toContain("one of the records 1 to 4: removed from the end");
});

it("says why it cannot be verified", async () => {
  await read(0);
  const keyFolder = temporaryFolder();
  expect(await finding({ keyFolder })).toMatchObject({
    status: "warning",
    code: null,
    message: "on, and cannot be verified without the key",
  });
  writeFileSync(join(String(options.storagePath), "access.db"), "no database");
  expect(await finding()).toMatchObject({
    status: "failure",
    code: "ACCESS_UNAVAILABLE",
    message: expect.stringContaining("on, and cannot be verified: "),
  });
});
