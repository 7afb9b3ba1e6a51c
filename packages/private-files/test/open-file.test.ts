import { execFileSync } from "node:child_process";
import { fstatSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { fileIdentity, withOpenFile } from "../src/index.ts";
import { refuse } from "./refuse.ts";

it("work reads the file that was opened, whatever has its name by now", () => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  writeFileSync(path, "opened");
  writeFileSync(join(folder, "other"), "other");
  const read = withOpenFile(path, refuse, (descriptor) => {
    renameSync(join(folder, "other"), path);
    return [descriptor === null ? null : readFileSync(descriptor, "utf8"), readFileSync(path, "utf8")];
  });
  expect(read).toEqual(["opened", "other"]);
});

it("work gets null where there is no file", () => {
  expect(withOpenFile(join(temporaryFolder(), "none"), refuse, (descriptor) => descriptor)).toBe(null);
});

it.each([
  [
    "a symbolic link",
    "is a symbolic link",
    (path: string) => {
      writeFileSync(`${path}.other`, "");
      symlinkSync(`${path}.other`, path);
    },
  ],
  ["a link to nothing", "is a symbolic link", (path: string) => symlinkSync("nothing", path)],
  ["a folder", "is not a regular file", (path: string) => mkdirSync(path)],
  ["a named pipe that nobody writes to", "is not a regular file", (path: string) => execFileSync("mkfifo", [path])],
])("%s is refused before work sees it", (_, problem, place) => {
  const path = join(temporaryFolder(), "file");
  place(path);
  const work = () => expect.unreachable();
  expect(() => withOpenFile(path, refuse, work)).toThrow(expect.objectContaining({ message: problem }));
});

it("a file in the place of the folder is an error of the file system, not an absent file", () => {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "");
  const attempt = () => withOpenFile(join(path, "below"), refuse, () => "read");
  expect(attempt).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
});

it.each([
  ["returns", () => undefined],
  [
    "throws",
    () => {
      throw new RangeError("broken");
    },
  ],
])("the file is closed when work %s", (_, end) => {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "");
  let open = -1;
  const attempt = () =>
    withOpenFile(path, refuse, (descriptor) => {
      open = descriptor ?? -1;
      expect(inodeOf(open)).toBe(statSync(path).ino);
      end();
    });
  try {
    attempt();
  } catch (error) {
    expect(error).toEqual(new RangeError("broken"));
  }
  // Another thread of this process may have opened a file since, which gets the number.
  expect(inodeOf(open)).not.toBe(statSync(path).ino);
});

/** Null for a descriptor that is closed. */
function inodeOf(descriptor: number): number | null {
  try {
    return fstatSync(descriptor).ino;
  } catch (error) {
    expect(error).toMatchObject({ code: "EBADF" });
    return null;
  }
}

it("the identity of an open file is that of its path until another file takes it", () => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  expect(fileIdentity(path)).toBe(null);
  writeFileSync(path, "");
  symlinkSync("file", join(folder, "link"));
  withOpenFile(path, refuse, (descriptor) => {
    const opened = fileIdentity(descriptor ?? -1);
    expect([fileIdentity(path), fileIdentity(join(folder, "link")) === opened]).toEqual([opened, false]);
    writeFileSync(join(folder, "other"), "");
    renameSync(join(folder, "other"), path);
    expect(fileIdentity(path)).not.toBe(opened);
  });
});
