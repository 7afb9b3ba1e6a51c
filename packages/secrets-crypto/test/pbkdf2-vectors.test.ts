import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readPbkdf2Vectors } from "./vectors.ts";

describe("Wycheproof PBKDF2-HMAC-SHA256", () => {
  it("holds for node's pbkdf2, in the call that deriveKeys makes (not through deriveKeys)", async () => {
    let equal = 0;
    for (const { id, password, salt, iterations, size, dk, valid } of readPbkdf2Vectors()) {
      const key = await promisify(pbkdf2)(password, salt, iterations, size, "sha256");
      expect({ id, valid, key: key.toString("hex") }).toEqual({ id, valid: true, key: dk.toString("hex") });
      equal += 1;
    }
    expect(equal).toBe(60);
  });
});
