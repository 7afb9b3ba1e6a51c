import type { ExternalSecretProvider, ProviderAnswer, ProviderRequest } from "@autokestra/secrets-core";
import { afterEach } from "vitest";
import { type SeenRequest, type SoundAnswer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { soon } from "./soon.ts";

/** Servers that are closed after each test. */
export interface AnsweringServers {
  /** Starts one that answers what a test wants, or, where that is null, as the stub does. */
  start(answers: (request: SeenRequest) => SoundAnswer | null): Promise<TestServer>;
  /** Closes this one, too. */
  add(server: TestServer): void;
}

export function createAnsweringServers(stub: (request: SeenRequest) => SoundAnswer): AnsweringServers {
  const servers: TestServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  return {
    async start(answers) {
      const server = await startTestServer((request) => answers(request) ?? stub(request));
      servers.push(server);
      return server;
    },
    add: (server) => void servers.push(server),
  };
}

/** Asks a provider for `db`, or for what the request says. */
export function lookIn(provider: ExternalSecretProvider) {
  return async (request: Partial<ProviderRequest> = {}): Promise<ProviderAnswer> =>
    await provider.lookup({ path: "db", format: "json", ...request }, soon());
}
