import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it, vi } from "vitest";
import { openAccessDatabase } from "../../src/access/access-database.ts";
import { thisUser } from "../../src/access/audited-secrets.ts";
import { openSecretsManager } from "../../src/index.ts";

vi.mock("@autokestra/sqlite", async (load) => {
  const { AutokestraError } = await import("@autokestra/secrets-core");
  return {
    ...(await load<object>()),
    loadSqlite: async () => {
      throw new AutokestraError("STORE_UNAVAILABLE", "SQLite cannot be used: it is not there", { hint: "Install it." });
    },
    isSqliteMissing: () => true,
  };
});
vi.mock("node:os", async (load) => ({
  ...(await load<object>()),
  userInfo: () => {
    throw new Error("no such user");
  },
}));

it("the audit log says that there is no SQLite, and nothing is opened", async () => {
  const folder = temporaryFolder();
  await expect(openAccessDatabase(join(folder, "secrets"))).rejects.toMatchObject({
    code: "ACCESS_UNAVAILABLE",
    message: expect.stringContaining("SQLite cannot be used: it is not there"),
    hint: "Install it.",
    details: { reason: "no SQLite" },
  });
  const options = { storagePath: join(folder, "secrets"), env: { HOME: folder }, backend: "file" };
  await expect(openSecretsManager({ ...options, audit: true })).rejects.toMatchObject({ code: "ACCESS_UNAVAILABLE" });
  const { secrets } = await openSecretsManager(options);
  expect(await secrets.list()).toEqual([]);
  await secrets.close();
});

it("a user without a name is known by its number", () => {
  expect(thisUser()).toEqual({ kind: "user", id: `uid ${process.getuid?.()}`, address: null });
});
