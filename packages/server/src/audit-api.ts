import {
  type AuditFilter,
  type AuditLog,
  type AuditRecord,
  type AuditReport,
  isNarrowed,
  type Tokens,
} from "@autokestra/secrets";
import { parsePast } from "@autokestra/secrets-core/internal";
import type { FastifyInstance } from "fastify";
import { z } from "zod/v4";
import { type AccessControl, forbidden } from "./access-control.ts";
import { type ApiCall, type ApiRoute, addApiRoute } from "./api-route.ts";
import { FoundSecrets } from "./found-secrets.ts";
import type { Principal } from "./principal.ts";
import { invalidQuery } from "./problem.ts";
import { count, emptyBodySchema, queryTime, TIME } from "./schemas.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";

/** What is shown of an audit log. */
export type ShownAuditLog = Pick<AuditLog, "records" | "verify">;

type NamedTokens = Pick<Tokens, "namesOf">;

const text = z.string().min(1).max(300);
const seq = count(1, Number.MAX_SAFE_INTEGER);

const querySchema = z.strictObject({
  secret: text.optional().describe("Only records about the secret of this name").meta({ example: "GITHUB_TOKEN" }),
  actor: text.optional().describe("Only of this token id, subject, user or workflow"),
  action: text.optional().describe("Only of this kind").meta({ example: "read" }),
  outcome: text
    .optional()
    .describe("Only with this outcome; error: with any code of an error")
    .meta({ example: "refused" }),
  execution: text.optional().describe("Only of this run"),
  since: queryTime
    .optional()
    .describe(
      "Only of this time and later: a date, a time with an offset, seconds since 1970, or how long ago, such as 7d",
    )
    .meta({ example: "7d" }),
  after: seq.optional().describe("The first records after this one. Default: the newest records"),
  before: seq.optional().describe("Only records before this one: the first one of the page before"),
  limit: count(1, 1000).default(100).describe("The maximum number of records"),
});

export const recordSchema = z.object({
  seq: z.int().min(1).describe("Counts records").meta({ example: 17 }),
  time: z.iso.datetime().meta({ example: TIME }),
  actor: z.object({
    kind: z.enum(["user", "token", "jwt", "trigger", "anonymous", "system"]),
    id: z.string().nullable(),
    name: z
      .string()
      .nullable()
      .describe(
        "Of a token, now; null where it was revoked, for all others, and where the token of the request is narrowed, but for itself",
      )
      .meta({ example: "ci" }),
    address: z.string().nullable(),
  }),
  action: z.string().meta({ example: "read" }),
  secret: z
    .object({
      name: z.string().nullable(),
      id: z.string().nullable(),
      version: z.string().nullable(),
      fields: z.array(z.string()).describe("The names of the fields that were given out"),
    })
    .nullable(),
  outcome: z.string().describe("intent, done, refused, failed, cancelled, or the code of an error"),
  source: z.string().nullable(),
  requestId: z.string().nullable(),
  execution: z.string().nullable().describe("The id of the run"),
  prev: z.string().describe("SHA-256 of the record before"),
  mac: z.string().nullable(),
});

export const reportSchema = z.object({
  records: z.int(),
  first: z.int().nullable(),
  last: z.int().nullable(),
  authenticated: z.int().describe("How many have an HMAC"),
  uncovered: z.int().describe("How many at the end no HMAC covers yet"),
  anchoredAt: z.int().nullable().describe("The record that the store remembers"),
  lost: z.int().describe("Records that are known to be lost"),
  problem: z
    .object({ seq: z.int(), until: z.int(), reason: z.string() })
    .nullable()
    .describe("The first place that is not as it was written"),
});

/** Adds the routes of the audit log. @param tokens whose names are shown beside their ids */
export function addAuditRoutes(
  app: FastifyInstance,
  access: AccessControl,
  audit: ShownAuditLog,
  tokens: NamedTokens,
  secretsFor: SecretsApiOptions["secretsFor"],
): void {
  const part = { access, secretsFor, tag: "audit", toCall: (call: ApiCall) => call };
  for (const route of auditRoutes(audit, tokens)) addApiRoute(app, part, route);
}

function auditRoutes(audit: ShownAuditLog, tokens: NamedTokens): readonly ApiRoute<ApiCall>[] {
  let verifying: Promise<AuditReport> | null = null;

  /** To read the whole log takes a while: those who ask meanwhile get the same answer. */
  async function verify(): Promise<AuditReport> {
    verifying ??= audit.verify().finally(() => {
      verifying = null;
    });
    return await verifying;
  }

  return [
    {
      method: "GET",
      url: "/api/audit",
      permission: "audit:read",
      operationId: "listAuditRecords",
      summary: "List records of the audit log in their order: the newest ones, or those after a record",
      query: querySchema,
      answer: z.array(recordSchema),
      refusals: [400],
      async handle(call) {
        const { since, ...query } = call.request.query as z.output<typeof querySchema>;
        const filter = { ...query, since: since === undefined ? undefined : readPast(String(since)) };
        const records: AuditRecord[] = [];
        const newest = query.after === undefined;
        for await (const record of audit.records({ ...filter, ...(await visibleRecords(call)), newest }))
          records.push(record);
        const names = await visibleNames(tokens, call.principal, records);
        return records.map(({ actor, ...record }) => ({
          ...record,
          actor: { ...actor, name: (actor.kind === "token" && names.get(actor.id)) || null },
        }));
      },
    },
    {
      method: "POST",
      url: "/api/audit/verify",
      permission: "audit:read",
      operationId: "verifyAuditLog",
      summary: "Check every record of the audit log, their chain, and that none is missing",
      body: emptyBodySchema,
      answer: reportSchema,
      refusals: [400, 413, 415],
      async handle({ principal }) {
        if (isNarrowed(principal)) throw forbidden("The token is narrowed, and the audit log is of all secrets");
        return await verify();
      },
    },
  ];
}

/** A narrowed token sees records about secrets that it may see, and no others. Tags are those that secrets have now. */
async function visibleRecords({ principal, secrets }: ApiCall): Promise<Pick<AuditFilter, "anyPrefix" | "anyId">> {
  const { prefixes, tags } = principal;
  const anyPrefix = prefixes ?? undefined;
  if (tags === null) return { anyPrefix };
  const visible = await new FoundSecrets(secrets, principal).all({ state: "all" });
  return { anyPrefix, anyId: visible.map(({ id }) => id) };
}

/**
 * The names of tokens, by their ids. A narrowed token learns of no other one what it is called, which may say what there is besides its
 * own secrets.
 */
async function visibleNames(
  tokens: NamedTokens,
  principal: Principal,
  records: readonly AuditRecord[],
): Promise<ReadonlyMap<string | null, string | null>> {
  if (isNarrowed(principal)) return new Map([[principal.id, principal.name]]);
  const ids = records.flatMap(({ actor: { kind, id } }) => (kind === "token" && id !== null ? [id] : []));
  // The records are shown all the same where the tokens cannot be verified.
  return await tokens.namesOf(ids).catch(() => new Map());
}

function readPast(since: string): string {
  const moment = parsePast(since, new Date().toISOString());
  if (moment === null) throw invalidQuery("since", "is not a time, such as 2027-01-31 or 7d");
  return moment;
}
