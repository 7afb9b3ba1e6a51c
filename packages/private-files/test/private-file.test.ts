import { chmodSync, chownSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { checkPrivateFile, pathExists, withOpenFile } from "../src/index.ts";
import { refuse } from "./refuse.ts";

function privateFile(): string {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "", { mode: 0o600 });
  return path;
}

function check(path: string): void {
  withOpenFile(path, refuse, (descriptor) => checkPrivateFile(descriptor ?? -1, path, refuse));
}

it.each([0o600, 0o400])("a file of mode %o passes", (mode) => {
  const path = privateFile();
  chmodSync(path, mode);
  expect(() => check(path)).not.toThrow();
});

it.each([0o644, 0o640, 0o604, 0o620, 0o601])("a file of mode %o is refused, with the chmod", (mode) => {
  const path = privateFile();
  chmodSync(path, mode);
  expect(() => check(path)).toThrow(
    expect.objectContaining({ message: "can be read by others", hint: `Run: chmod 600 '${path}'` }),
  );
});

it.runIf(process.geteuid?.() === 0)("a file of another user is refused, with the chown", () => {
  const path = privateFile();
  chownSync(path, 65_534, 65_534);
  expect(() => check(path)).toThrow(
    expect.objectContaining({ message: "belongs to another user", hint: `Make it yours: chown 0 '${path}'` }),
  );
});

it("a folder that everybody can write to is refused, unless it is sticky, as /tmp is", () => {
  const path = privateFile();
  chmodSync(dirname(path), 0o777);
  expect(() => check(path)).toThrow(
    expect.objectContaining({
      message: "lies in a folder that everybody can write to",
      hint: `Run: chmod o-w '${dirname(path)}'`,
    }),
  );
  chmodSync(dirname(path), 0o1777);
  expect(() => check(path)).not.toThrow();
});

it("what has a name is there, even a link that leads nowhere", () => {
  const path = privateFile();
  symlinkSync("nowhere", `${path}-link`);
  expect([path, `${path}-link`, `${path}-other`].map(pathExists)).toEqual([true, true, false]);
});
