import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { makePrivateFolder, preparePrivateFolder } from "../src/index.ts";
import { refuse } from "./refuse.ts";

describe("makePrivateFolder", () => {
  it("says whether there was one, and leaves it as it is", () => {
    const folder = join(temporaryFolder(), "a", "b");
    expect(makePrivateFolder(folder)).toBe(true);
    chmodSync(folder, 0o755);
    expect(makePrivateFolder(`${folder}/../b/`)).toBe(false);
    expect([modeOf(join(folder, "..")), modeOf(folder)]).toEqual(["700", "755"]);
  });

  it("passes on that a file is in the way", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(() => makePrivateFolder(join(folder, "file"))).toThrow(expect.objectContaining({ code: "EEXIST" }));
    expect(() => makePrivateFolder(join(folder, "file", "a"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
  });
});

describe("preparePrivateFolder, where others can enter the folder", () => {
  it.each([0o755, 0o777, 0o710, 0o701])("closes it while it is empty (%o)", (mode) => {
    const folder = join(temporaryFolder(), "secrets");
    mkdirSync(folder);
    chmodSync(folder, mode);
    preparePrivateFolder(join(folder, "store"), refuse);
    expect(modeOf(folder)).toBe("700");
  });

  it("closes it where it holds the store", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "store"), "");
    writeFileSync(join(folder, "something"), "else");
    chmodSync(folder, 0o755);
    preparePrivateFolder(join(folder, "store"), refuse);
    expect(modeOf(folder)).toBe("700");
  });

  it("closes the folder that a symbolic link leads to", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "real"));
    chmodSync(join(folder, "real"), 0o755);
    symlinkSync("real", join(folder, "link"));
    preparePrivateFolder(join(folder, "link", "store"), refuse);
    expect(modeOf(join(folder, "real"))).toBe("700");
  });

  it.each([
    [
      "holds other things",
      0o755,
      /^Give the store a folder of its own, or run `chmod 700 "\/.*"` if no one else needs/,
    ],
    ["is shared, as /tmp is", 0o1777, /^Give the store a folder of its own\.$/],
  ])("refuses it where it %s, and leaves it as it is", (_, mode, hint) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "something"), "else");
    chmodSync(folder, mode);
    expect(() => preparePrivateFolder(join(folder, "store"), refuse)).toThrow(
      expect.objectContaining({
        message: `other users can reach "${folder}"`,
        hint: expect.stringMatching(hint),
      }),
    );
    expect([readdirSync(folder), modeOf(folder)]).toEqual([["something"], mode.toString(8)]);
  });
});
