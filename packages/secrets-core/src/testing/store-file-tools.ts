import type { SecretStoreFile } from "../secret-store.ts";
import { contentOf, type Expect } from "./contract-tools.ts";

/** How the contract of store files makes its stores and files. */
export interface StoreFileOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** A path where there is nothing, in a folder of its own that is there. Another one with each call. */
  readonly newPath: () => string;
  /** Opens the store at a path, and waits for other openings only briefly. */
  readonly open: (path: string, options: { readonly create: boolean }) => Promise<SecretStoreFile>;
  /** `copyFile` of node:fs/promises. */
  readonly copy: (from: string, to: string) => Promise<void>;
  /** `rename` of node:fs/promises. */
  readonly move: (from: string, to: string) => Promise<void>;
}

/** What the tests of store files share. */
export interface FileTools extends StoreFileOptions {
  /** Runs it with an empty store, and closes that. */
  readonly test: (name: string, run: (store: SecretStoreFile, path: string) => Promise<void>) => void;
  /** Does some work with the store at a path, which is opened for it. */
  readonly opened: <T>(path: string, work: (store: SecretStoreFile) => Promise<T>, create?: boolean) => Promise<T>;
}

export const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

/** All that a store file tells. */
export async function wholeContentOf(store: SecretStoreFile): Promise<unknown> {
  return { anchors: await store.anchors(), content: await contentOf(store) };
}
