import { z } from "zod";
import { pathSchema, type ToAbsolute } from "./common-schemas.ts";

const ON_OFF = z.union([z.boolean(), z.enum(["on", "off"]).transform((text) => text === "on")]);

const requiredSchema = z
  .boolean()
  .describe("Values are given out only once it has the record. Default: false")
  .exactOptional();

const sinkSchema = z.union(
  [
    z.strictObject({
      syslog: z
        .string()
        .regex(/^(?:tcp|tls):\/\/[^/]+:\d+$/, "must be tcp://host:port or tls://host:port")
        .describe("Server of RFC 5424 messages: tcp://host:port or tls://host:port"),
      ca: pathSchema.describe("Certificates that are trusted, relative to the folder of this file").exactOptional(),
      required: requiredSchema,
    }),
    z.strictObject({
      command: z.array(z.string()).min(1).describe("Program with its arguments; gets one JSON object a line"),
      required: requiredSchema,
    }),
  ],
  "must have `syslog` or `command`",
);

const settingsSchema = z.strictObject({
  on: ON_OFF.describe("Record what is read and changed. Default: true").exactOptional(),
  keepDays: z.int().min(1).max(36_500).describe("How many days records are kept. Default: 400").exactOptional(),
  sink: sinkSchema.describe("Where records go besides the log").exactOptional(),
});

/** The settings as they are written. */
type AuditFile = boolean | { readonly [Key in keyof AuditConfig]?: NonNullable<AuditConfig[Key]> };

export const AUDIT_KEYS: readonly string[] = Object.keys(settingsSchema.shape);

export const auditSchema: z.ZodType<AuditFile> = z
  .union([ON_OFF, settingsSchema], "must be on, off or its settings")
  .describe("Audit log: on, off, or its settings. Default: off");

/** The settings of the audit log. */
export interface AuditConfig {
  readonly on: boolean;
  readonly keepDays: number | undefined;
  readonly sink:
    | { readonly syslog: string; readonly ca?: string | undefined; readonly required?: boolean | undefined }
    | { readonly command: readonly string[]; readonly required?: boolean | undefined }
    | undefined;
}

export function toAuditConfig(audit: AuditFile | undefined, absolute: ToAbsolute): AuditConfig | undefined {
  if (audit === undefined) return undefined;
  if (typeof audit === "boolean") return { on: audit, keepDays: undefined, sink: undefined };
  const { on = true, keepDays, sink } = audit;
  const isSyslog = sink !== undefined && "syslog" in sink;
  return { on, keepDays, sink: isSyslog ? { ...sink, ca: absolute(sink.ca) } : sink };
}
