import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { readTextFile } from "../../src/import/text-file.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, "file");
});

describe("readTextFile", () => {
  it.each([
    ["A=1\n", "A=1"],
    ["\ufeffA=é\ufeff", "A=é\ufeff"],
    ["", ""],
  ])("reads %j", async (content, text) => {
    await writeFile(file, content);
    expect(await readTextFile(file)).toBe(text);
  });

  it("refuses what is not UTF-8, and what is larger than 16 MiB", async () => {
    await writeFile(file, Buffer.from("A=é", "latin1"));
    await expect(readTextFile(file)).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: `The file "${file}" is not UTF-8 text (line 1)`,
    });
    await truncate(file, 16 * 1024 * 1024 + 1);
    await expect(readTextFile(file)).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: `The file "${file}" is larger than 16 MiB`,
    });
  });

  it.each([
    ["the line that is not UTF-8", Buffer.from("A=1\nB=\u00e9\n", "latin1"), "is not UTF-8 text (line 2)"],
    ["UTF-16 without a mark", Buffer.from("A=1", "utf16le"), "is UTF-16 text that cannot be read"],
    ["UTF-16 cut in a character", Buffer.from([0xff, 0xfe, 0x41]), "is UTF-16 text that cannot be read"],
  ])("KD1: names %s", async (_what, content, message) => {
    await writeFile(file, content);
    await expect(readTextFile(file)).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: `The file "${file}" ${message}`,
    });
  });

  it("KD1: reads UTF-16 with a mark, as Windows writes it", async () => {
    await writeFile(file, Buffer.from("\ufeffA=é🔑\r\n", "utf16le"));
    expect(await readTextFile(file)).toBe("A=é🔑");
    await writeFile(file, Buffer.from("\ufeffA=é\n", "utf16le").swap16());
    expect(await readTextFile(file)).toBe("A=é");
  });

  it("says why it cannot read", async () => {
    await expect(readTextFile(file)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: `The file "${file}" cannot be read (ENOENT)`,
    });
    await expect(readTextFile(folder)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: `The file "${folder}" cannot be read (EISDIR)`,
    });
  });
});
