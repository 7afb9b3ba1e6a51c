import fc from "fast-check";
import { expect, it } from "vitest";
import { createProcessCipher } from "../src/process-cipher.ts";

it("a text comes back, from its own cipher only", async () => {
  const [cipher, other] = [createProcessCipher(), createProcessCipher()];
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }), async (text) => {
      const encrypted = await cipher.encrypt(text);
      expect(await cipher.decrypt(encrypted)).toBe(text);
      expect(await cipher.encrypt(text)).not.toBe(encrypted);
      await expect(other.decrypt(encrypted)).rejects.toThrow("not encrypted by this process");
    }),
  );
});

it("a changed or cut text does not", async () => {
  const cipher = createProcessCipher();
  const bytes = Buffer.from(await cipher.encrypt("a value"), "base64");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(cipher.decrypt(changed.toString("base64"))).rejects.toThrow();
    await expect(cipher.decrypt(bytes.subarray(0, at).toString("base64"))).rejects.toThrow();
  }
});
