import { join } from "node:path";
import {
  type NewToken,
  openSecretsManager,
  openTokens,
  ROLES,
  type SecretsManager,
  type Tokens,
} from "@autokestra/secrets";
import { temporaryFolder } from "@autokestra/test-kit";
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { createServer, type ServerOptions } from "../src/index.ts";

export interface ServerPlace {
  readonly folder: string;
  readonly manager: SecretsManager;
  readonly tokens: Tokens;
  readonly app: FastifyInstance;
  /** The lines of the log. */
  readonly log: string[];
  /** Makes a token. */
  token(role: string, more?: Partial<NewToken>): Promise<string>;
  /** A server with other options over the same secrets. */
  serve(options?: Partial<ServerOptions>): Promise<FastifyInstance>;
  close(): Promise<void>;
}

let count = 0;

/** A server over a store of its own, with audit log. */
export async function createServerPlace(options: Partial<ServerOptions> = {}): Promise<ServerPlace> {
  let remove = (): void => undefined;
  const folder = temporaryFolder((removal) => {
    remove = removal;
  });
  const storagePath = join(folder, "secrets");
  const manager = await openSecretsManager({ env: {}, storagePath, keyFolder: join(folder, "keys"), audit: true });
  const tokens = await openTokens(manager);
  const log: string[] = [];
  const apps: FastifyInstance[] = [];

  async function serve(others: Partial<ServerOptions> = {}): Promise<FastifyInstance> {
    const app = await createServer({
      secretsFor: (context) => manager.as(context),
      tokens,
      audit: manager.audit,
      log: { write: (line) => void log.push(line) },
      refusedPerMinute: 100_000,
      requestsPerMinute: 1_000_000,
      ...others,
    });
    apps.push(app);
    return app;
  }

  return {
    folder,
    manager,
    tokens,
    log,
    app: await serve(options),
    serve,
    async token(role, more = {}) {
      const created = await tokens.create({
        name: `${role}-${count++}`,
        role,
        prefixes: null,
        tags: null,
        expiresAt: null,
        ...more,
      });
      return created.token;
    },
    async close() {
      for (const app of apps) {
        const closed = app.close();
        // A connection that a client keeps open would be waited for: for 72 seconds.
        app.server.closeAllConnections();
        await closed;
      }
      tokens.close();
      await manager.secrets.close();
      remove();
    },
  };
}

export const ALL_ROLES: readonly string[] = Object.keys(ROLES);

/** Calls a server without a network. */
export async function call(
  app: FastifyInstance,
  method: string,
  url: string,
  token: string | null,
  options: Omit<InjectOptions, "method" | "url"> = {},
): Promise<LightMyRequestResponse> {
  return await app.inject({
    ...options,
    method: method as "GET",
    url,
    headers: {
      host: "localhost",
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...options.headers,
    },
  });
}
