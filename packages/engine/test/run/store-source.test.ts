import { AutokestraError, parseSecretName, type SecretMetadata, type SecretService } from "@autokestra/secrets-core";
import { expect, it } from "vitest";
import { createStoreSource } from "../../src/index.ts";

it("KP7: names the nearest for a few names that are not stored, and none for ten thousand", async () => {
  let lists = 0;
  const stored = Array.from({ length: 10_000 }, (_, index) => ({ name: `NAME_${index}` }) as SecretMetadata);
  const secrets: Pick<SecretService, "get" | "list"> = {
    async get() {
      throw new AutokestraError("SECRET_NOT_FOUND", "not found");
    },
    async list() {
      lists += 1;
      return stored;
    },
  };
  const source = createStoreSource(secrets);
  expect(await source.lookup(parseSecretName("name-7"))).toEqual({
    status: "notFound",
    reason: "'name-7' is not stored: did you mean 'NAME_7'?",
  });
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, async (_, index) => await source.lookup(parseSecretName(`X${index}`))),
  );
  expect(answers.every(({ status }) => status === "notFound")).toBe(true);
  expect(lists).toBeLessThanOrEqual(20);
});
