import { expect, it } from "vitest";
import { createMemoryStore } from "../src/index.ts";
import { secretStoreContract } from "../src/testing/index.ts";

secretStoreContract({
  it,
  expect,
  open: async () => ({ store: createMemoryStore(), reopen: null }),
  openVersion1: async (content) => ({ store: createMemoryStore({ layout: 1, ...content }), reopen: null }),
});
