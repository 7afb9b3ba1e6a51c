import { z } from "zod";
import { durationSchema, nameSchema, pathSchema, type ToAbsolute } from "./common-schemas.ts";

const countSchema = z.int().min(1).max(1_000_000);

const jwtSchema = z.strictObject({
  issuer: z.string().min(1).describe("Who signs the tokens: their `iss`"),
  audience: z.string().min(1).describe("Whom they are for: their `aud`"),
  jwksUri: z
    .url({ protocol: /^https?$/ })
    .describe("Where the public keys are")
    .exactOptional(),
  jwksFile: pathSchema.describe("File with the public keys, relative to the folder of this file").exactOptional(),
  rolesClaim: z.string().min(1).describe("Claim with the role, or a list of roles. Default: roles").exactOptional(),
  prefixesClaim: z.string().min(1).describe("Claim that narrows to beginnings of names").exactOptional(),
  tagsClaim: z.string().min(1).describe("Claim that narrows to tags").exactOptional(),
});

const backupsSchema = z.strictObject({
  every: durationSchema.describe("Time from one backup to the next: 24h"),
  to: pathSchema.describe("Folder of the backups, relative to the folder of this file"),
  recipients: z
    .array(z.string().min(1))
    .refine((all) => all.length > 0, "must name at least one recipient")
    .describe("Recipients of age that they are encrypted to: age1…"),
  keep: z.int().min(1).max(10_000).describe("How many are kept. Default: 14").exactOptional(),
});

const keysSchema = z.strictObject({
  rotateDataKeyEvery: durationSchema.describe("Age at which the data key is replaced: 90d").exactOptional(),
});

const settingsSchema = z.strictObject({
  host: z.string().min(1).describe("Address to listen on. Default: 127.0.0.1").exactOptional(),
  port: z.int().min(0).max(65_535).describe("Port to listen on. Default: 8000").exactOptional(),
  tlsCert: pathSchema.describe("File of the certificate, relative to the folder of this file").exactOptional(),
  tlsKey: pathSchema.describe("File of its private key, relative to the folder of this file").exactOptional(),
  behindProxy: z
    .array(z.string().min(1))
    .describe("Addresses of proxies, as CIDR: only they are served")
    .exactOptional(),
  hosts: z.array(z.string().min(1)).describe("Names under which the server is reached, besides `host`").exactOptional(),
  corsOrigin: z.array(z.string().min(1)).describe("Origins whose pages may call the server").exactOptional(),
  log: z.boolean().describe("Write a line for each request to standard error. Default: true").exactOptional(),
  requestsPerMinute: countSchema.describe("Requests of one token a minute. Default: 6000").exactOptional(),
  refusedPerMinute: countSchema.describe("Refused attempts of one address a minute. Default: 30").exactOptional(),
  workflows: pathSchema
    .describe("Folder of the workflows that the server runs, relative to the folder of this file")
    .exactOptional(),
  maxRuns: z.int().min(1).max(1000).describe("Runs that go on at once. Default: 10").exactOptional(),
  drainSeconds: z
    .number()
    .min(0)
    .max(3600)
    .describe("Seconds that runs get to end at a shutdown. Default: 5")
    .exactOptional(),
  roles: z
    .record(nameSchema, z.array(z.string().min(1)))
    .describe("Roles besides the built-in ones: the permissions of each")
    .exactOptional(),
  jwt: jwtSchema.describe("Signed tokens of an identity provider").exactOptional(),
  backups: backupsSchema.describe("Encrypted backups that the server makes regularly").exactOptional(),
  keys: keysSchema.describe("What the server does about keys").exactOptional(),
});

export const serverSchema: z.ZodType<ServerConfig> = settingsSchema;

const PARTS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["jwt", Object.keys(jwtSchema.shape)],
  ["backups", Object.keys(backupsSchema.shape)],
  ["keys", Object.keys(keysSchema.shape)],
]);

/** Returns the keys of the settings, or of one of their parts. */
export function serverKeys(part: unknown): readonly string[] {
  return PARTS.get(part) ?? Object.keys(settingsSchema.shape);
}

/** The signed tokens that the server accepts. Either `jwksUri` or `jwksFile` names their public keys. */
export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri?: string;
  readonly jwksFile?: string;
  /** The claims with the roles and the narrowing of a token. Defaults: `roles`, and none. */
  readonly rolesClaim?: string;
  readonly prefixesClaim?: string;
  readonly tagsClaim?: string;
}

/** The backups that the server makes regularly. */
export interface BackupsConfig {
  /** In milliseconds. */
  readonly every: number;
  readonly to: string;
  readonly recipients: readonly string[];
  readonly keep?: number;
}

/** The settings of the server. Paths are absolute. A key that is not set is undefined. */
export interface ServerConfig {
  readonly host?: string;
  readonly port?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: readonly string[];
  readonly hosts?: readonly string[];
  readonly corsOrigin?: readonly string[];
  readonly log?: boolean;
  readonly requestsPerMinute?: number;
  readonly refusedPerMinute?: number;
  readonly workflows?: string;
  readonly maxRuns?: number;
  readonly drainSeconds?: number;
  /** The permissions of each role; whether there are such permissions is not checked here. */
  readonly roles?: Readonly<Record<string, readonly string[]>>;
  readonly jwt?: JwtConfig;
  readonly backups?: BackupsConfig;
  /** `rotateDataKeyEvery`: in milliseconds. */
  readonly keys?: { readonly rotateDataKeyEvery?: number };
}

export function toServerConfig(server: ServerConfig, absolute: ToAbsolute): ServerConfig {
  const { tlsCert, tlsKey, workflows, jwt, backups } = server;
  return {
    ...server,
    ...(tlsCert !== undefined && { tlsCert: absolute(tlsCert) ?? tlsCert }),
    ...(tlsKey !== undefined && { tlsKey: absolute(tlsKey) ?? tlsKey }),
    ...(workflows !== undefined && { workflows: absolute(workflows) ?? workflows }),
    ...(jwt?.jwksFile !== undefined && { jwt: { ...jwt, jwksFile: absolute(jwt.jwksFile) ?? jwt.jwksFile } }),
    ...(backups !== undefined && { backups: { ...backups, to: absolute(backups.to) ?? backups.to } }),
  };
}
