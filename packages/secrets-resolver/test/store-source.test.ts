import { parseSecretName, type Secret } from "@autokestra/secrets-core";
import { integrityFailed, secretDeleted, secretNotFound } from "@autokestra/secrets-core/internal";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createStoreSource } from "../src/index.ts";

const A = parseSecretName("A");

describe("createStoreSource", () => {
  it("gives the secret with its expiry and the secrecy of its fields", async () => {
    const expiresAt = "2030-01-01T00:00:00.000Z";
    const { metadata } = sampleSecret("A", { expiresAt });
    const flags = { public: ["value"], masked: [] };
    const secret: Secret = { metadata, fields: { value: "v" }, flags };
    expect(await createStoreSource({ get: async () => secret }).lookup(A)).toEqual({
      status: "found",
      secret: { type: "apiKey", fields: { value: "v" }, expiresAt, flags, version: "1" },
    });
  });

  it("answers notFound only for a secret that is not there", async () => {
    const missing = createStoreSource({ get: async () => await Promise.reject(secretNotFound("A")) });
    expect(await missing.lookup(A)).toEqual({ status: "notFound" });
    const error = secretDeleted("A", "2026-03-01T00:00:00.000Z");
    const deleted = createStoreSource({ get: async () => await Promise.reject(error) });
    expect(await deleted.lookup(A)).toEqual({
      status: "notFound",
      reason: "Secret 'A' is deleted. It can be restored until 2026-03-01T00:00:00.000Z.",
      retainedUntil: "2026-03-01T00:00:00.000Z",
    });
    const broken = createStoreSource({ get: async () => await Promise.reject(integrityFailed("A")) });
    await expect(broken.lookup(A)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });
});
