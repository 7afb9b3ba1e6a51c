import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";

/**
 * A new folder with mode 0700, removed after the test.
 *
 * @param after When it is removed: `afterAll` for a folder that the tests of a file or a group share.
 */
export function temporaryFolder(after: (remove: () => void) => void = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder that the tests of a file or a group share. There is none before they begin, so none is left where all of them are skipped. */
export function sharedFolder(): () => string {
  let folder = "";
  let removeFolder: () => void;
  beforeAll(() => {
    folder = temporaryFolder((remove) => {
      removeFolder = remove;
    });
  });
  afterAll(() => removeFolder());
  return () => folder;
}

/** The permission bits of a file or folder, as chmod takes them. */
export function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}
