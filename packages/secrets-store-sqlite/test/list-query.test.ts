import { join } from "node:path";
import type { SecretMetadata } from "@autokestra/secrets-core";
import { selectSecrets } from "@autokestra/secrets-core/internal";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  oneof,
  option,
  record,
  stringMatching,
  subarray,
  uniqueArray,
} from "fast-check";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";

const years = ["2027-01-01T00:00:00.000Z", "2028-01-01T00:00:00.000Z"];
/** Many of them are those of deleted secrets, too. */
const anyName = oneof(constantFrom("A", "AZ"), stringMatching(/^[-_AZaz09]{1,3}$/));
const type = constantFrom("apiKey" as const, "oauth" as const);
const tags = subarray(["x", "y", "%"]);

const anyId = constantFrom(
  ...Array.from("0123456789abcdef", (digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`),
);
const secret = record({
  id: anyId,
  name: anyName,
  type,
  tags,
  expiresAt: option(constantFrom(...years)),
  deletedAt: option(constantFrom(...years)),
});

const filter = record(
  {
    type,
    tags,
    name: anyName,
    prefix: stringMatching(/^[-_AZaz09%\x7f\0é]{0,2}$/u),
    expiresBefore: constantFrom(...years),
    state: constantFrom("active" as const, "deleted" as const, "all" as const),
    after: stringMatching(/^[-_AZaz09%\x7f\0é]{0,3}$/u),
    afterId: anyId,
    retentionStart: constantFrom(...years),
    limit: constantFrom(0, 1, 2, 100),
  },
  { requiredKeys: [] },
);

/** No two that are not deleted have one name. */
function withoutConflicts(secrets: readonly SecretMetadata[]): readonly SecretMetadata[] {
  const taken = new Set<string>();
  return secrets.map((metadata) => {
    if (metadata.deletedAt !== null) return metadata;
    const isTaken = taken.has(metadata.name);
    taken.add(metadata.name);
    return isTaken ? { ...metadata, deletedAt: "2026-06-01T00:00:00.000Z" } : metadata;
  });
}

it("answers any filter as a look at every secret does", async () => {
  const samples = uniqueArray(secret, { maxLength: 12, selector: ({ id }) => id });
  await assert(
    asyncProperty(samples, array(filter, { minLength: 20, maxLength: 20 }), async (secrets, filters) => {
      const all = withoutConflicts(secrets.map(({ name, ...rest }) => sampleSecret(name, rest).metadata));
      const store = await openSqliteStore(join(temporaryFolder(), "secrets.db"));
      await store.bulkInsert(all.map((metadata) => [sampleSecret(metadata.name, metadata)]));
      for (const one of filters) expect(await store.list(one)).toEqual(selectSecrets(all, one));
      await store.close();
    }),
    { numRuns: 25 },
  );
});
