import type { AuditFilter, AuditRecord } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { parsePast, quoteText } from "@autokestra/secrets-core/internal";
import type { Parser } from "./command.ts";

/** The options that say which records are wanted. */
export interface AuditFilterOptions {
  readonly secret?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly since?: string;
}

export function addAuditFilter(parser: Parser): Parser {
  return parser
    .option("--secret <name>", "name of the secret")
    .option("--actor <id>", "id of the actor: a user, a token, a subject")
    .option("--action <action>", "kind of record, such as read or keys.rotate")
    .option("--outcome <outcome>", "outcome: intent, done, refused, failed, cancelled, a code, or error for any code")
    .option("--since <when>", SINCE);
}

export const SINCE = "earliest time: a date, a time with an offset, 90d, `2 hours`";

export function toAuditFilter({ since, ...filter }: AuditFilterOptions): AuditFilter {
  return { ...filter, since: since === undefined ? undefined : parseSince(since) };
}

/** A moment, or how long ago it was. */
export function parseSince(text: string, option = "--since"): string {
  const moment = parsePast(text, new Date().toISOString());
  if (moment !== null) return moment;
  throw new AutokestraError(
    "USAGE",
    `${option} takes a date, a time with an offset, or how long ago: 90d, \`2 hours\``,
  );
}

export const AUDIT_COLUMNS: readonly string[] = [
  "SEQ",
  "TIME",
  "ACTOR",
  "ACTION",
  "SECRET",
  "OUTCOME",
  "SOURCE",
  "RUN OR REQUEST",
];

/** What people see of a record. */
export function toAuditRow({ seq, time, actor, action, secret, outcome, source, ...record }: AuditRecord): string[] {
  const address = actor.address === null ? "" : ` (${actor.address})`;
  const who = `${actor.kind === "user" ? "" : `${actor.kind} `}${actor.id ?? ""}${address}`.trim();
  const version = secret?.version === null || secret === null ? "" : `@${secret.version}`;
  const about = `${secret?.name ?? ""}${version}`;
  const texts = [who, action, about, outcome, source ?? "", record.execution ?? record.requestId ?? ""];
  return [String(seq), time, ...texts.map(quoteText)];
}
