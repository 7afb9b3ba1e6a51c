import { hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readHkdfVectors } from "./vectors.ts";

describe("Wycheproof HKDF-SHA256", () => {
  it("holds for node's hkdfSync, in the call that deriveKeys makes (not through deriveKeys)", () => {
    const figures = { equal: 0, refused: 0 };
    for (const { id, ikm, salt, info, size, okm, valid } of readHkdfVectors()) {
      const derive = () => Buffer.from(hkdfSync("sha256", ikm, salt, info, size)).toString("hex");
      if (valid) {
        expect({ id, key: derive() }).toEqual({ id, key: okm.toString("hex") });
        figures.equal += 1;
      } else {
        expect(derive, `vector ${id}`).toThrow();
        figures.refused += 1;
      }
    }
    expect(figures).toEqual({ equal: 83, refused: 3 });
  });
});
