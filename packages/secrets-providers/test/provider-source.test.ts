import {
  AutokestraError,
  type ExternalSecretProvider,
  type ProviderAnswer,
  type ProviderRequest,
  parseSecretName,
  type SecretBinding,
} from "@autokestra/secrets-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CallReport,
  createProviderSource,
  notFound,
  type ProviderSourceOptions,
  unavailable,
} from "../src/index.ts";

const DB = parseSecretName("DB");

function found(value: string): ProviderAnswer {
  return { status: "found", secret: { value, version: "3" } };
}

/** A provider that answers as it is told, and keeps what it was asked. */
function fixture(
  answer: (request: ProviderRequest, signal: AbortSignal) => ProviderAnswer | Promise<ProviderAnswer>,
  more: Partial<ExternalSecretProvider> = {},
) {
  const asked: ProviderRequest[] = [];
  const provider: ExternalSecretProvider = {
    id: "vault",
    type: "fake",
    capabilities: { versions: true, leases: false },
    async lookup(request, { signal }) {
      asked.push(request);
      return await answer(request, signal);
    },
    check: async () => await Promise.resolve({ status: "found", secret: {} }),
    close: async () => await Promise.resolve(),
    ...more,
  };
  const clock = { now: 0 };
  const sourceOf = (options: ProviderSourceOptions = {}) =>
    createProviderSource(provider, { now: () => clock.now, ...options });
  return { asked, clock, sourceOf };
}

describe("where it looks", () => {
  it("asks for a name that is bound to nothing only with a path", async () => {
    const { asked, sourceOf } = fixture(() => found("v"));
    expect(await sourceOf().lookup(DB)).toMatchObject({ status: "notFound" });
    expect(asked).toEqual([]);
    expect(await sourceOf({ path: "apps/{name}" }).lookup(DB)).toEqual({
      status: "found",
      secret: { type: "apiKey", fields: { value: "v" }, expiresAt: null, version: "3" },
    });
    expect(asked).toEqual([{ path: "apps/DB", version: undefined, format: "json" }]);
  });

  it.each<[SecretBinding, ProviderSourceOptions, Partial<ProviderRequest>]>([
    [{ source: "vault", path: "a/b", version: "2" }, {}, { path: "a/b", version: "2", format: "json" }],
    [{ source: "vault" }, {}, { path: "DB" }],
    [{ source: "vault" }, { path: "apps/{name}" }, { path: "apps/DB" }],
    [{ source: "vault", format: "text" }, {}, { format: "text" }],
    [{ source: "vault" }, { format: "text" }, { format: "text" }],
    [{ source: "vault", format: "json" }, { format: "text" }, { format: "json" }],
  ])("asks for what is bound: %o, %o", async (binding, options, request) => {
    const { asked, sourceOf } = fixture(() => found("v"));
    await sourceOf(options).lookup(DB, { binding });
    expect(asked).toMatchObject([request]);
  });

  it("refuses a version where the provider has none", async () => {
    const { asked, sourceOf } = fixture(() => found("v"), { capabilities: { versions: false, leases: false } });
    const binding = { source: "vault", version: "2" };
    expect(await sourceOf().lookup(DB, { binding })).toMatchObject({
      status: "malformed",
      reason: "it has no versions",
    });
    expect(asked).toEqual([]);
  });
});

describe("limits", () => {
  it("V1: answers in time, whether or not the provider minds", async () => {
    const { sourceOf } = fixture(async () => await new Promise(() => undefined));
    const answer = await sourceOf({ path: "{name}", timeoutSeconds: 0.02 }).lookup(DB);
    expect(answer).toEqual({ status: "unavailable", reason: "no answer within 0.02 s", timedOut: true });
  });

  it("lets the provider say what it was waiting for", async () => {
    const { sourceOf } = fixture(async (_request, signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return unavailable("GET https://x: no answer");
    });
    const answer = await sourceOf({ path: "{name}", timeoutSeconds: 0.02 }).lookup(DB);
    expect(answer).toMatchObject({ reason: "GET https://x: no answer" });
  });

  it("ends when the caller gives up, and asks nothing for one who has", async () => {
    const { asked, sourceOf } = fixture(async () => await new Promise(() => undefined));
    const source = sourceOf({ path: "{name}" });
    const controller = new AbortController();
    const answer = source.lookup(DB, { signal: controller.signal });
    controller.abort();
    expect(await answer).toMatchObject({ status: "unavailable", timedOut: true });
    expect(await source.lookup(DB, { signal: AbortSignal.abort() })).toMatchObject({
      reason: "its time was used up before",
    });
    expect(asked.length).toBe(1);
  });

  it("asks at most 8 at once, and drops who gives up while it waits", async () => {
    const waiting: (() => void)[] = [];
    const { asked, sourceOf } = fixture(async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return found("v");
    });
    const source = sourceOf({ path: "{name}" });
    const controller = new AbortController();
    const lookups = Array.from(
      { length: 12 },
      async (_, index) =>
        await source.lookup(parseSecretName(`N${index}`), index < 10 ? {} : { signal: controller.signal }),
    );
    await new Promise(setImmediate);
    expect(asked.length).toBe(8);
    controller.abort();
    while (waiting.length > 0) {
      waiting.shift()?.();
      await new Promise(setImmediate);
    }
    const answers = await Promise.all(lookups);
    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill("found"), "unavailable", "unavailable"]);
    expect(asked.length).toBe(10);
  });

  it("says nothing of an error that it does not know, and passes on ours", async () => {
    const failing = fixture(async () => await Promise.reject(new Error("canary")));
    const answer = await failing.sourceOf({ path: "{name}" }).lookup(DB);
    expect(answer).toEqual({
      status: "malformed",
      reason: "the provider failed in an unexpected way",
      hint: undefined,
    });
    const ours = fixture(async () => await Promise.reject(new AutokestraError("OPTION_INVALID", "no")));
    await expect(ours.sourceOf({ path: "{name}" }).lookup(DB)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(ours.sourceOf({ path: "{name}" }).lookup(DB)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("memory", () => {
  it("remembers for 10 s what is not there, by path and version", async () => {
    const { asked, clock, sourceOf } = fixture(() => notFound("No."));
    const source = sourceOf({ path: "{name}" });
    await source.lookup(DB);
    clock.now = 9999;
    expect(await source.lookup(DB)).toEqual({ status: "notFound", reason: "No." });
    expect(asked.length).toBe(1);
    await source.lookup(DB, { binding: { source: "vault", version: "2" } });
    await source.lookup(parseSecretName("OTHER"));
    expect(asked.length).toBe(3);
    clock.now = 10_000;
    await source.lookup(DB);
    expect(asked.length).toBe(4);
  });

  it("remembers nothing else", async () => {
    const { asked, sourceOf } = fixture(() => found("v"));
    const source = sourceOf({ path: "{name}" });
    await source.lookup(DB);
    await source.lookup(DB);
    expect(asked.length).toBe(2);
  });
});

describe("several at once", () => {
  const names = ["A", "B", "C"].map(parseSecretName);

  function batching(answer: (paths: readonly string[]) => Promise<readonly ProviderAnswer[]>) {
    const batches: string[][] = [];
    const one = fixture(({ path }) => found(`one ${path}`), {
      async lookupMany(requests) {
        batches.push(requests.map(({ path }) => path));
        return await answer(requests.map(({ path }) => path));
      },
    });
    return { ...one, batches };
  }

  it("asks in one call for what is asked in the same moment, by the same run", async () => {
    const { asked, batches, sourceOf } = batching(async (paths) => await Promise.resolve(paths.map(found)));
    const source = sourceOf({ path: "{name}" });
    const { signal } = new AbortController();
    const answers = await Promise.all([
      ...names.map(async (name) => await source.lookup(name, { signal })),
      source.lookup(DB),
    ]);
    expect(answers).toMatchObject(["A", "B", "C", "one DB"].map((value) => ({ secret: { fields: { value } } })));
    expect([batches, asked.map(({ path }) => path)]).toEqual([[["A", "B", "C"]], ["DB"]]);
    await source.lookup(DB, { signal });
    expect(batches.length).toBe(1);
  });

  it("makes as many requests as it needs for one call, without a warning of Node", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const { sourceOf } = fixture(() => found("one"), {
      async lookupMany(requests, { signal }) {
        for (let request = 0; request < 20; request++) signal.addEventListener("abort", () => undefined);
        return await Promise.resolve(requests.map(() => found("v")));
      },
    });
    const source = sourceOf({ path: "{name}" });
    await Promise.all(names.map(async (name) => await source.lookup(name)));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  it("gives one answer to all where the call fails, and to those that were left out", async () => {
    const failing = batching(async () => await Promise.reject(new Error("canary")));
    const all = await Promise.all(names.map(async (name) => await failing.sourceOf({ path: "{name}" }).lookup(name)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(["found"]));
    const source = failing.sourceOf({ path: "{name}" });
    const together = await Promise.all(names.map(async (name) => await source.lookup(name)));
    expect(together.map(({ status }) => status)).toEqual(["malformed", "malformed", "malformed"]);
    const short = batching(async () => await Promise.resolve([found("v")])).sourceOf({ path: "{name}" });
    const some = await Promise.all(names.map(async (name) => await short.lookup(name)));
    expect(some.map(({ status }) => status)).toEqual(["found", "malformed", "malformed"]);
  });
});

describe("V7: stale values", () => {
  const cipher = {
    encrypt: async (text: string) => await Promise.resolve(Buffer.from(text).toString("hex")),
    decrypt: async (text: string) => await Promise.resolve(Buffer.from(text, "hex").toString()),
  };

  it("gives the last value where there is no newer one, as long as it may, and says how old it is", async () => {
    const answers = [found("old"), found("v"), unavailable("503"), unavailable("503"), unavailable("503")];
    const { clock, sourceOf } = fixture(() => answers.shift() ?? unavailable("none"));
    const source = sourceOf({ path: "{name}", onUnavailable: "stale", maxStaleSeconds: 60, cipher });
    expect(source.policy).toEqual({ onUnavailable: "fail", onDenied: "fail" });
    await source.lookup(DB);
    await source.lookup(DB);
    clock.now = 60_000;
    expect(await source.lookup(DB)).toMatchObject({
      status: "found",
      secret: { fields: { value: "v" }, version: "3", staleSeconds: 60 },
    });
    expect(await source.lookup(parseSecretName("OTHER"))).toMatchObject({ status: "unavailable" });
    clock.now = 60_001;
    expect(await source.lookup(DB)).toMatchObject({ status: "unavailable" });
  });

  it.each(["denied", "notFound"] as const)("gives none after %s", async (status) => {
    const answers: ProviderAnswer[] = [found("v"), { status, reason: "r" }, unavailable("503")];
    const { clock, sourceOf } = fixture(() => answers.shift() ?? found("x"));
    const source = sourceOf({ path: "{name}", onUnavailable: "stale", cipher });
    await source.lookup(DB);
    expect(await source.lookup(DB)).toMatchObject({ status });
    clock.now = 20_000;
    expect(await source.lookup(DB)).toMatchObject({ status: "unavailable" });
  });

  it("is bounded and told while a provider comes and goes", async () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 40_000 }), isUp: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        let isUp = true;
        const { clock, sourceOf } = fixture(() => (isUp ? found(String(clock.now)) : unavailable("503")));
        const source = sourceOf({ path: "{name}", onUnavailable: "stale", maxStaleSeconds: 60, cipher });
        let lastUp: number | null = null;
        for (const { ms, ...state } of steps) {
          clock.now += ms;
          isUp = state.isUp;
          if (isUp) lastUp = clock.now;
          const answer = await source.lookup(DB);
          const age = lastUp === null ? Number.POSITIVE_INFINITY : clock.now - lastUp;
          if (age > 60_000) expect(answer.status).toBe("unavailable");
          else {
            const staleSeconds = isUp ? {} : { staleSeconds: Math.round(age / 1000) };
            expect(answer).toMatchObject({ secret: { fields: { value: String(lastUp) }, ...staleSeconds } });
            expect(answer.status === "found" && "staleSeconds" in answer.secret).toBe(!isUp);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("gives none that is of the future, or that has expired", async () => {
    const expiresAt = new Date(10_000).toISOString();
    const answers: ProviderAnswer[] = [{ status: "found", secret: { value: "v", expiresAt } }];
    const { clock, sourceOf } = fixture(() => answers.shift() ?? unavailable("503"));
    const source = sourceOf({ path: "{name}", onUnavailable: "stale", maxStaleSeconds: 1e-9, cipher });
    const expiring = sourceOf({ path: "{name}", onUnavailable: "stale", cipher });
    clock.now = 5000;
    await expiring.lookup(DB);
    expect(await expiring.lookup(DB)).toMatchObject({ status: "found" });
    clock.now = 10_000;
    expect(await expiring.lookup(DB)).toMatchObject({ status: "unavailable" });
    answers.push(found("v"));
    await source.lookup(DB);
    // The clock of the machine was set back: the other one has gone on.
    clock.now = 0;
    expect(await source.lookup(DB)).toMatchObject({ status: "unavailable" });
  });

  it("is that of who was asked last, whoever answers last", async () => {
    let answerSlowly: (answer: ProviderAnswer) => void = () => undefined;
    const slow = new Promise<ProviderAnswer>((resolve) => {
      answerSlowly = resolve;
    });
    const answers = [slow, found("new"), unavailable("503")];
    const source = fixture(() => answers.shift() ?? found("x")).sourceOf({
      path: "{name}",
      onUnavailable: "stale",
      cipher,
    });
    const first = source.lookup(DB);
    await source.lookup(DB);
    answerSlowly(found("old"));
    await first;
    expect(await source.lookup(DB)).toMatchObject({ secret: { fields: { value: "new" } } });
  });

  it("is counted as such", async () => {
    const calls: CallReport[] = [];
    const answers = [found("v"), unavailable("503")];
    const options = {
      path: "{name}",
      onUnavailable: "stale",
      cipher,
      onCall: (call: CallReport) => void calls.push(call),
    };
    const source = fixture(() => answers.shift() ?? found("x")).sourceOf(options as ProviderSourceOptions);
    for (let index = 0; index < 2; index++) await source.lookup(DB);
    expect(calls.map(({ status }) => status)).toEqual(["found", "stale"]);
  });

  it("keeps nothing without a cipher", async () => {
    const answers = [found("v"), unavailable("503")];
    const source = fixture(() => answers.shift() ?? found("x")).sourceOf({ path: "{name}", onUnavailable: "stale" });
    await source.lookup(DB);
    expect(await source.lookup(DB)).toMatchObject({ status: "unavailable" });
    expect(source.policy?.onUnavailable).toBe("fail");
  });
});

it("counts its lookups", async () => {
  const calls: CallReport[] = [];
  const { sourceOf } = fixture(() => found("v"));
  await sourceOf({ path: "{name}", onCall: (call) => calls.push(call) }).lookup(DB);
  expect(calls).toEqual([{ provider: "vault", call: "lookup", status: "found", milliseconds: expect.any(Number) }]);
});
