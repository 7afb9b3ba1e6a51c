import { Readable } from "node:stream";
import { MAX_SECRET_LENGTH } from "@autokestra/secrets-core/internal";
import { describe, expect, it } from "vitest";
import { readText } from "../src/index.ts";

describe("readText", () => {
  it.each([
    ["v\n", "v"],
    ["v\r\n", "v"],
    ["v\n\n", "v\n"],
    ["v\r", "v\r"],
    ["\ufeffv", "\ufeffv"],
    ["", ""],
    ["ü日🔑\0", "ü日🔑\0"],
  ])("reads %j as %j, however it is cut", async (text, expected) => {
    const bytes = Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte));
    expect(await readText(Readable.from(bytes), "It")).toBe(expected);
  });

  it("refuses bytes that are no UTF-8, and more than 16 MiB, before they are all in memory", async () => {
    await expect(readText(Readable.from([Uint8Array.of(0xc3)]), "It")).rejects.toMatchObject({ code: "VALUE_INVALID" });
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      while (true) {
        given += 1024 * 1024;
        yield new Uint8Array(1024 * 1024);
      }
    }
    await expect(readText(endless(), "It")).rejects.toMatchObject({ message: "It is larger than 16 MiB" });
    expect(given).toBe(MAX_SECRET_LENGTH + 1024 * 1024);
  });
});
