import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { secretStoreFileContract } from "@autokestra/secrets-core/testing";
import { expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { writeVersion1 } from "./version-1.ts";

secretStoreFileContract({
  it,
  expect,
  newPath: () => join(temporaryFolder(), "secrets.json"),
  open: async (path, { create }) => await openFileStore(path, { create, lockTimeoutMs: 100 }),
  copy: copyFile,
  move: rename,
  makeVersion1: async (path, content) => writeVersion1(path, content),
});
