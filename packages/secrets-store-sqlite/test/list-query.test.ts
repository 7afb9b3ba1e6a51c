import { join } from "node:path";
import { selectSecrets } from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { array, assert, asyncProperty, constantFrom, option, record, stringMatching, subarray } from "fast-check";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const years = ["2027-01-01T00:00:00.000Z", "2028-01-01T00:00:00.000Z"];
const anyName = stringMatching(/^[-_AZaz09]{1,3}$/);
const type = constantFrom("apiKey" as const, "oauth" as const);
const tags = subarray(["x", "y", "%"]);

const secret = record({
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
    prefix: stringMatching(/^[-_AZaz09%\x7f\0é]{0,2}$/u),
    expiresBefore: constantFrom(...years),
    state: constantFrom("active" as const, "deleted" as const, "all" as const),
    after: stringMatching(/^[-_AZaz09%\x7f\0é]{0,3}$/u),
    limit: constantFrom(0, 1, 2, 100),
  },
  { requiredKeys: [] },
);

it("answers any filter as a look at every secret does", async () => {
  const samples = array(secret, { maxLength: 12 });
  await assert(
    asyncProperty(samples, array(filter, { minLength: 20, maxLength: 20 }), async (secrets, filters) => {
      const all = new Map(secrets.map(({ name, ...rest }) => [name, sampleSecret(name, rest)]));
      const store = await openSqliteStore(join(temporaryFolder(), "secrets.db"));
      await store.load([...all.values()].map((one) => [one]));
      const metadata = [...all.values()].map((one) => one.metadata);
      for (const one of filters) expect(await store.list(one)).toEqual(selectSecrets(metadata, one));
      await store.close();
    }),
    { numRuns: 25 },
  );
});
