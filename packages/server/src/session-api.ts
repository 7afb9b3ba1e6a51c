import { PERMISSIONS } from "@autokestra/secrets";
import type { FastifyInstance } from "fastify";
import { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { addApiRoute } from "./api-route.ts";
import { TIME } from "./schemas.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";

/** What a server can have besides secrets. */
export interface ServerParts {
  readonly runs: boolean;
  readonly audit: boolean;
}

export const sessionSchema = z
  .object({
    kind: z.enum(["token", "jwt"]),
    id: z.string().describe("The id of the token, or the subject of the JWT, as the audit log names it"),
    name: z.string().nullable().describe("Of the token; null for a JWT").meta({ example: "ci" }),
    roles: z.array(z.string()).meta({ example: ["runner"] }),
    permissions: z.array(z.enum(PERMISSIONS)).meta({ example: ["runs:read", "runs:start"] }),
    prefixes: z.array(z.string()).nullable().describe("What the names of its secrets begin with; null: all secrets"),
    tags: z.array(z.string()).nullable().describe("Tags of which its secrets have one; null: all secrets"),
    expiresAt: z.iso.datetime().nullable().describe("Null: never").meta({ example: TIME }),
    parts: z
      .object({ runs: z.boolean(), audit: z.boolean() })
      .describe("What this server has besides secrets: workflows with their runs, an audit log that can be read"),
  })
  .describe("What the token of the request may do");

/** Adds the route that tells clients what they may do. */
export function addSessionRoute(
  app: FastifyInstance,
  access: AccessControl,
  parts: ServerParts,
  secretsFor: SecretsApiOptions["secretsFor"],
): void {
  addApiRoute(
    app,
    { access, secretsFor, tag: "session", toCall: (call) => call },
    {
      method: "GET",
      url: "/api/session",
      permission: null,
      operationId: "getSession",
      summary: "Tell what the token may do, and how it is narrowed",
      answer: sessionSchema,
      refusals: [400],
      async handle({ principal: { permissions, ...principal } }) {
        return { ...principal, permissions: PERMISSIONS.filter((one) => permissions.has(one)), parts };
      },
    },
  );
}
