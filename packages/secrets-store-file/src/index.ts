/**
 * Keeps encrypted secrets in one JSON file.
 *
 * @module
 */
export { type FileStoreOptions, openFileStore } from "./store.ts";
