import type { CallLimits, ExternalSecretProvider, ProvidedSecret, ProviderAnswer } from "@autokestra/secrets-core";

/** `it` of vitest, jest or node:test. */
export type It = (name: string, run: () => Promise<void>, timeout?: number) => void;

/** The part of `expect` (vitest, jest) that the contract uses. */
export type Expect = (
  value: unknown,
  message?: string,
) => {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toContain(expected: unknown): void;
  toBeLessThanOrEqual(expected: number): void;
};

export interface ProviderContractOptions {
  readonly it: It;
  readonly expect: Expect;
  /** Creates a provider whose server, folder or program has the secret `stored`. */
  readonly open: () => ExternalSecretProvider | Promise<ExternalSecretProvider>;
  /** The path and the value of a secret that exists. */
  readonly stored: { readonly path: string; readonly value: ProvidedSecret["value"] };
  /** The path of a secret that does not exist. */
  readonly missing: string;
}

/**
 * Registers one test for each promise of {@link ExternalSecretProvider}. The test file of a provider is one call:
 *
 * ```ts
 * import { expect, it } from "vitest";
 * import { secretProviderContract } from "@autokestra/secrets-providers/testing";
 *
 * secretProviderContract({ it, expect, open: () => createMyProvider(), stored: { path: "db", value: { user: "u" } }, missing: "none" });
 * ```
 */
export function secretProviderContract({ it, expect, open, stored, missing }: ProviderContractOptions): void {
  const test = (name: string, run: (provider: ExternalSecretProvider) => Promise<void>) => {
    it(name, async () => {
      const provider = await open();
      try {
        await run(provider);
      } finally {
        await provider.close();
      }
    });
  };

  test("gives what is stored", async (provider) => {
    expect(foundValue(await look(provider, stored.path))).toEqual(stored.value);
  });

  test("answers notFound for what is not there, with a sentence", async (provider) => {
    const answer = await look(provider, missing);
    expect(answer.status).toBe("notFound");
    expect("reason" in answer && /\S \S.*\.$/.test(answer.reason ?? "")).toBe(true);
  });

  for (const path of elsewhere(stored.path, missing)) {
    test(`gives nothing for the path ${JSON.stringify(path)}`, async (provider) => {
      expect(["notFound", "malformed", "denied"]).toContain((await look(provider, path)).status);
    });
  }

  test("answers many at once", async (provider) => {
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await look(provider, stored.path)));
    expect(answers.map(foundValue)).toEqual(answers.map(() => stored.value));
  });

  test("answers in the order of the requests, where it takes several at once", async (provider) => {
    if (provider.lookupMany === undefined) return;
    const requests = [missing, stored.path, missing].map((path) => ({ path, format: "json" as const }));
    const answers = await provider.lookupMany(requests, soon());
    expect(answers.map(({ status }) => status)).toEqual(["notFound", "found", "notFound"]);
  });

  test("ends when the caller no longer waits", async (provider) => {
    const answer = provider.lookup(
      { path: stored.path, format: "json" },
      { signal: AbortSignal.abort(), deadline: Date.now() },
    );
    expect(["found", "unavailable"]).toContain((await answer).status);
  });

  test("can be reached", async (provider) => {
    expect((await provider.check(soon())).status).toBe("found");
  });

  test("says what it can do", async ({ capabilities, leases }) => {
    expect(capabilities.leases).toBe(leases !== undefined);
  });

  test("can be closed twice", async (provider) => {
    await provider.close();
  });
}

/** Paths that must not lead to the stored secret. */
function elsewhere(stored: string, missing: string): readonly string[] {
  return ["..", `${missing}/../${stored}`, `${stored}?x=1#y`, `${stored}%2f..`, "\0", "ä b", ""];
}

/** More time than anything takes. */
function soon(): CallLimits {
  return { signal: AbortSignal.timeout(100_000), deadline: Date.now() + 100_000 };
}

async function look(provider: ExternalSecretProvider, path: string): Promise<ProviderAnswer> {
  return await provider.lookup({ path, format: "json" }, soon());
}

function foundValue(answer: ProviderAnswer): unknown {
  return answer.status === "found" ? answer.secret.value : answer;
}
