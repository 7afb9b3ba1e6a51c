// @module-tag faults
import { AutokestraError, type SecretSource } from "@autokestra/secrets-core";
import { createSecretResolver } from "@autokestra/secrets-resolver";
import { afterAll, describe, expect, it } from "vitest";
import { createHttpProvider } from "../src/http.ts";
import { type CallReport, createProviderSource } from "../src/index.ts";
import { CANARY, type Fault, startFaultServer } from "../src/testing/index.ts";

const TOKEN = "canary-token-91be";

const store: SecretSource = {
  id: "store",
  lookup: async () =>
    await Promise.resolve({ status: "found", secret: { type: "apiKey", fields: { value: "local" }, expiresAt: null } }),
};

/** What a run takes for a name that the store has too: the value of the store, or none at all. */
const USED: Readonly<Record<Fault, "local" | "SOURCE_FAILED">> = {
  "hang at connect": "local",
  "hang at headers": "local",
  "hang in the body": "local",
  "one byte a second": "local",
  reset: "local",
  "403": "SOURCE_FAILED",
  "404": "local",
  "429 with Retry-After 3600": "local",
  "500 for ever": "local",
  "200 null": "SOURCE_FAILED",
  "200 HTML": "SOURCE_FAILED",
  "cut JSON": "SOURCE_FAILED",
  "gzip bomb of 1 GB": "SOURCE_FAILED",
  "self-signed TLS": "SOURCE_FAILED",
  redirect: "SOURCE_FAILED",
};

async function run(fault: Fault, isBound: boolean) {
  const server = await startFaultServer(fault, () => ({ body: { value: "remote" } }));
  const calls: CallReport[] = [];
  const onCall = (call: CallReport) => calls.push(call);
  const provider = createHttpProvider({
    id: "vault",
    url: `${server.address}/{name}`,
    token: TOKEN,
    pointer: "/value",
    onCall,
  });
  const bindings = isBound ? { DB: { source: "vault" } } : {};
  const resolver = createSecretResolver([createProviderSource(provider, { path: "{name}" }), store], { bindings });
  const began = performance.now();
  try {
    const scope = await resolver.openScope(["DB"]);
    return {
      used: String(scope.secrets[0]?.fields["value"]),
      said: JSON.stringify([scope.fallbacks, calls]),
      ...figures(),
    };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const { code, message, hint, details } = error;
    return { used: code, said: JSON.stringify([message, hint, details, calls]), ...figures() };
  } finally {
    await provider.close();
    await server.close();
  }

  function figures() {
    return { seconds: (performance.now() - began) / 1000, requests: server.requests.length };
  }
}

describe("V1-V6: what a run takes from a provider that fails, with its usual times", () => {
  const faults = Object.keys(USED) as Fault[];
  const table: string[] = [];
  afterAll(() => {
    if (process.env["FIGURES"]) console.log(table.join("\n"));
  });

  it.concurrent.each(faults)("%s", async (fault) => {
    const { used, said, seconds, requests } = await run(fault, false);
    table.push(`${fault}: ${used}, ${seconds.toFixed(1)} s, ${requests} requests`);
    expect(used).toBe(USED[fault]);
    expect(requests).toBeLessThanOrEqual(6);
    expect([TOKEN, CANARY, "remote"].filter((text) => said.includes(text))).toEqual([]);
  });

  it.each<[Fault, string]>([
    ["403", "SOURCE_FAILED"],
    ["404", "SECRETS_MISSING"],
    ["500 for ever", "local"],
  ])("V3: %s for a bound name", async (fault, used) => {
    expect((await run(fault, true)).used).toBe(used);
  });
});
