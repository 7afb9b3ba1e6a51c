import { copyFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bulkInsertContract, exclusiveLockContract, fileBackupContract } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { writeVersion1 } from "./version-1.ts";

/** An empty store that waits for others only briefly. */
async function openBriefly() {
  const path = join(temporaryFolder(), "secrets.json");
  const open = async () => await openFileStore(path, { lockTimeoutMs: 100 });
  return { store: await open(), reopen: open };
}

bulkInsertContract({ it, expect, open: openBriefly });
exclusiveLockContract({ it, expect, open: openBriefly });
fileBackupContract({
  it,
  expect,
  newPath: () => join(temporaryFolder(), "secrets.json"),
  open: async (path, { create }) => await openFileStore(path, { create, lockTimeoutMs: 100 }),
  copy: copyFile,
  write: writeFile,
  move: rename,
  makeVersion1: async (path, content) => writeVersion1(path, content),
});
