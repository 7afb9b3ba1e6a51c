import type { SecretBinding, SecretSource, SourceAnswer } from "@autokestra/secrets-core";
import { parseSecretName } from "@autokestra/secrets-core";
import { beforeEach, expect, it } from "vitest";
import type { AuditContext } from "../../src/index.ts";
import { AuditedPlace, collect, VALUE } from "./audited-place.ts";

let place: AuditedPlace;
beforeEach(() => {
  place = new AuditedPlace();
});

const CONTEXT: AuditContext = { actor: { kind: "trigger", id: "nightly", address: null }, execution: "run-1" };
const NAME = parseSecretName("DB");
const BINDING: SecretBinding = { source: "vault", lease: "database/creds/app" };
const FOUND: SourceAnswer = {
  status: "found",
  secret: { type: "basicAuth", fields: { username: "kim", password: VALUE }, expiresAt: null, version: "7" },
};

/** A source that answers this to everything. */
function sourceOf(answer: SourceAnswer): SecretSource {
  return {
    id: "vault",
    lookup: async () => answer,
    leases: {
      canCreate: async () => ({ status: "found", secret: null }),
      open: () => ({ create: async () => answer, close: async () => undefined }),
    },
  };
}

it.each<[SourceAnswer, readonly string[]]>([
  [FOUND, ["done DB 7 username,password", "done DB 7 username,password"]],
  [{ status: "denied", reason: "no" }, ["refused DB  ", "refused DB  "]],
  [{ status: "unavailable", reason: "no" }, ["SOURCE_FAILED DB  ", "SOURCE_FAILED DB  "]],
  [{ status: "malformed", reason: "no" }, ["SOURCE_FAILED DB  ", "SOURCE_FAILED DB  "]],
  [{ status: "notFound" }, []],
])("records what a source answers to a run, and that it made credentials: %j", async (answer, told) => {
  const records = await place.use(async (manager) => {
    const { audit } = manager;
    const source = manager.recordSource(sourceOf(answer), CONTEXT);
    expect(await source.lookup(NAME)).toEqual(answer);
    expect(await source.leases?.canCreate(BINDING)).toEqual({ status: "found", secret: null });
    const leases = source.leases?.open(60, () => undefined);
    expect(await leases?.create(NAME, BINDING)).toEqual(answer);
    await leases?.close();
    return await collect(audit.records());
  });
  expect(
    records.map(
      ({ outcome, secret }) => `${outcome} ${secret?.name} ${secret?.version ?? ""} ${secret?.fields.join(",")}`,
    ),
  ).toEqual(told);
  for (const record of records)
    expect(record).toMatchObject({ action: "run.resolve", source: "vault", execution: "run-1" });
  expect(JSON.stringify(records)).not.toContain(VALUE);
});

it("gives a run nothing that it cannot record", async () => {
  await place.use(async (manager) => {
    const { audit } = manager;
    const source = manager.recordSource(sourceOf(FOUND), CONTEXT);
    await audit.close();
    await expect(source.lookup(NAME)).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  });
});

it("leaves a source without leases without them, and one as it is where the log is off", async () => {
  const { leases: _, ...plain } = sourceOf(FOUND);
  await place.use(async (manager) => expect(manager.recordSource(plain, CONTEXT).leases).toBe(undefined));
});
