/**
 * The routes of secrets, for a server of your own. Nothing of workflows is loaded with it, and nothing of it needs to be installed.
 *
 * @module
 */
import type { FastifyInstance } from "fastify";
import { AccessControl, type AccessOptions } from "./access-control.ts";
import { applyHttpRules, type OnFailure } from "./http-rules.ts";
import { addSecretRoutes, type SecretRouteOptions } from "./secret-routes.ts";

export type { AccessOptions } from "./access-control.ts";
export { createJwtVerifier, type JwtOptions, type JwtVerifier } from "./jwt.ts";
export type { Principal } from "./principal.ts";

export interface SecretsApiOptions extends AccessOptions, SecretRouteOptions {
  /** Called with failures of the server itself. Default: not called. */
  readonly onFailure?: OnFailure | undefined;
}

/**
 * The routes of secrets, as a plugin of fastify: for a server of your own. Mount it with a prefix. It brings its own checks of tokens,
 * its own errors and its own reading of bodies, and changes nothing of the server around it; TLS, the check of the `Host` header and
 * limits of connections are that server's.
 *
 * A server whose `routerOptions.maxParamLength` is below 255 does not find secrets with longer names.
 *
 * @example
 * ```ts no-run
 * import { openSecretsManager, openTokens } from "@autokestra/secrets";
 * import { secretsApi } from "@autokestra/server/secrets-api";
 * import fastify from "fastify";
 *
 * const storagePath = "/srv/app/.workflow/secrets";
 * const manager = await openSecretsManager({ storagePath, audit: true });
 * const tokens = await openTokens(manager);
 * const app = fastify();
 * await app.register(secretsApi, { prefix: "/secrets", secretsFor: (context) => manager.as(context), tokens, audit: manager.audit });
 * await app.listen({ port: 3000 });
 * ```
 */
export async function secretsApi(app: FastifyInstance, options: SecretsApiOptions): Promise<void> {
  const access = new AccessControl(options);
  if (!app.hasRequestDecorator("principal")) app.decorateRequest("principal", null);
  const rules = applyHttpRules(app, options.onFailure);
  app.addHook("onRequest", async (request) => void (await access.authenticate(request)));
  rules.refuseUnknownPaths();
  addSecretRoutes(app, access, options);
}
