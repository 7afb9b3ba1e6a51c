import { setTimeout } from "node:timers/promises";
import { type AutokestraError, hasCode } from "@autokestra/secrets-core";
import type { FastifyInstance } from "fastify";
import type { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { problemResponse } from "./api-route.ts";
import { addRoute, MAX_BODY_BYTES } from "./http-rules.ts";
import type { ServedRuns } from "./run-service.ts";
import * as schemas from "./runs-schemas.ts";
import { notSigned } from "./webhook.ts";

/** When a webhook is refused, counted from its arrival: until then, its secret was found or not. */
const REFUSED_MS = 250;

/** The path of webhooks. They are signed, and need no token. */
export const HOOK_PATH = "/api/hooks/:id";

/** Adds the route of webhooks: bodies of any type, which are signed byte by byte. */
export function addHookRoutes(app: FastifyInstance, access: AccessControl, { runs, workflows }: ServedRuns): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  // Before the body is read; and the secret may have to be asked for, of a provider that has limits.
  app.addHook("onRequest", async (request) => access.checkRefused(request));
  addRoute(app, {
    method: "POST",
    url: HOOK_PATH,
    schema: {
      summary: "Start a workflow by a webhook, signed as the workflow says",
      operationId: "receiveWebhook",
      tags: ["runs"],
      security: [],
      params: schemas.workflowIdSchema,
      response: {
        202: schemas.startedSchema,
        ...Object.fromEntries(
          [400, 401, 404, 409, 413, 415, 429, 500, 503].map((code) => [code, problemResponse(code)]),
        ),
      },
    },
    async handler(request, reply) {
      const { id } = request.params as z.output<typeof schemas.workflowIdSchema>;
      const workflow = workflows?.get(id) ?? null;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const about = { actor: { kind: "trigger", id, address: request.ip }, requestId: request.id } as const;
      const notBefore = setTimeout(REFUSED_MS);
      // Without a signature, neither the answer nor its timing reveals which workflows exist.
      const refuse = async (error: AutokestraError): Promise<never> => {
        try {
          return await access.refuse(request, error);
        } finally {
          await notBefore;
        }
      };
      if (workflow === null) return await refuse(notSigned("refused"));
      try {
        const { id: execution } = await runs.receive(workflow, { headers: request.headers, body }, about);
        return await reply.code(202).send({ execution, workflow: id });
      } catch (error) {
        if (hasCode(error, "UNAUTHORIZED")) return await refuse(error);
        throw error;
      }
    },
  });
}
