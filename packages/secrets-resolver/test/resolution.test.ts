import {
  AutokestraError,
  parseSecretName,
  type RunLeases,
  type SecretBinding,
  type SecretSource,
  type SourceAnswer,
  type SourceFailure,
  type SourcePolicy,
} from "@autokestra/secrets-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createSecretResolver, type ResolverOptions } from "../src/index.ts";

const OUTSIDE: SourcePolicy = { onUnavailable: "fallback", onDenied: "fail" };

function found(value: string): SourceAnswer {
  return { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
}

const DOWN: SourceAnswer = { status: "unavailable", reason: "503" };
const NO: SourceFailure = { status: "denied", reason: "403", hint: "Ask for it." };
const NONE: SourceAnswer = { status: "notFound", reason: "Not there." };
const ODD: SourceAnswer = { status: "malformed", reason: "no JSON" };

type Answer = SourceAnswer | ((signal: AbortSignal | undefined) => Promise<SourceAnswer>);

function sourceOf(
  id: string,
  answer: Answer,
  more: Partial<SecretSource> = {},
): SecretSource & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    id,
    asked,
    async lookup(name, { binding, signal } = {}) {
      asked.push(binding === undefined ? name : `${name} ${binding.path}`);
      return typeof answer === "function" ? await answer(signal) : await Promise.resolve(answer);
    },
    ...more,
  };
}

const outside = (id: string, answer: Answer, policy: Partial<SourcePolicy> = {}) =>
  sourceOf(id, answer, { policy: { ...OUTSIDE, ...policy } });

/** Where the value of A comes from, or the code of the error with its message and hint. */
async function used(sources: readonly SecretSource[], options: ResolverOptions = {}): Promise<string> {
  try {
    const scope = await createSecretResolver(sources, options).openScope(["A"]);
    const [secret] = scope.secrets;
    const fallbacks = scope.fallbacks.map(
      ({ source, status, reason, names }) => `${source} ${status} ${reason} ${names.join()}`,
    );
    return [`${secret?.source}=${String(secret?.fields["value"])}`, ...fallbacks].join("; ");
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    return [error.code, error.message, error.hint].join("; ");
  }
}

const STOPPED = "No other source is asked: it could hold another value.";

afterEach(() => {
  vi.useRealTimers();
});

describe("R11, V3: a name that is bound to nothing", () => {
  const local = () => [sourceOf("store", found("s")), sourceOf("environment", found("e"))];

  it.each<[string, SecretSource, string]>([
    ["found", outside("vault", found("v")), "vault=v"],
    ["notFound", outside("vault", NONE), "store=s"],
    ["unavailable", outside("vault", DOWN), "store=s; vault unavailable 503 A"],
    [
      "unavailable, fail",
      outside("vault", DOWN, { onUnavailable: "fail" }),
      `SOURCE_FAILED; Secret 'A' could not be read from vault: 503; ${STOPPED}`,
    ],
    [
      "denied",
      outside("vault", NO),
      `SOURCE_FAILED; Secret 'A' could not be read from vault: 403; Ask for it. There is a value of that name in store, which was not used. ${STOPPED}`,
    ],
    ["denied, fallback", outside("vault", NO, { onDenied: "fallback" }), "store=s; vault denied 403 A"],
    [
      "malformed",
      outside("vault", ODD, { onDenied: "fallback" }),
      `SOURCE_FAILED; Secret 'A' could not be read from vault: no JSON; ${STOPPED}`,
    ],
  ])("%s", async (_what, vault, expected) => {
    expect(await used([vault, ...local()])).toBe(expected);
  });

  it("is taken from the next provider too", async () => {
    expect(await used([outside("vault", DOWN), outside("aws", found("a")), ...local()])).toBe(
      "aws=a; vault unavailable 503 A",
    );
  });

  it("is not taken from a source for bound names", async () => {
    const aws = outside("aws", found("a"));
    expect(await used([...local()], { boundOnly: [aws] })).toBe("store=s");
    expect(aws.asked).toEqual([]);
  });

  it("is missing with all that is known of it", async () => {
    const sources = [outside("vault", DOWN), sourceOf("store", NONE), sourceOf("environment", { status: "notFound" })];
    expect(await used(sources)).toBe("SECRETS_MISSING; Missing secrets: A; vault could not be asked: 503. Not there.");
  });

  it("does not look for another value where nobody has one", async () => {
    expect(await used([outside("vault", NO), sourceOf("store", NONE)])).toBe(
      `SOURCE_FAILED; Secret 'A' could not be read from vault: 403; Ask for it. ${STOPPED}`,
    );
  });
});

describe("a bound name", () => {
  const bind = (binding: Partial<SecretBinding> = {}) => ({
    bindings: { A: { source: "aws", path: "p", ...binding } },
  });
  const sources = (answer: Answer, policy: Partial<SourcePolicy> = {}) => {
    const aws = outside("aws", answer, policy);
    return {
      aws,
      all: [outside("vault", found("v")), aws, sourceOf("store", found("s")), sourceOf("environment", found("e"))],
    };
  };

  it.each<[string, Answer, Partial<SecretBinding>, string]>([
    ["found", found("a"), {}, "aws=a"],
    ["notFound", NONE, {}, "SECRETS_MISSING; Missing secrets: A; Not there."],
    ["notFound, with a fallback", NONE, { fallback: "store" }, "store=s"],
    ["unavailable: never from another provider", DOWN, {}, "store=s; aws unavailable 503 A"],
  ])("%s", async (_what, answer, binding, expected) => {
    const { aws, all } = sources(answer);
    expect(await used(all, bind(binding))).toBe(expected);
    expect(aws.asked).toEqual(["A p"]);
  });

  it("ends where its source denies, unless that is allowed", async () => {
    expect(await used(sources(NO).all, bind())).toContain("SOURCE_FAILED");
    expect(await used(sources(NO, { onDenied: "fallback" }).all, bind())).toBe("store=s; aws denied 403 A");
  });

  it("is missing where the store does not have it either", async () => {
    const all = [outside("aws", NONE), sourceOf("store", NONE)];
    expect(await used(all, bind({ fallback: "store" }))).toBe(
      "SECRETS_MISSING; Missing secrets: A; Not there. Not there.",
    );
  });

  it("is asked for in a source for bound names", async () => {
    const aws = outside("aws", found("a"));
    expect(await used([], { ...bind(), boundOnly: [aws] })).toBe("aws=a");
  });

  it.each([{ source: "gcp" }, { fallback: "gcp" }])(
    "V8: is bound only to a source that is there: %o",
    async (binding) => {
      expect(await used(sources(NONE).all, bind(binding))).toBe(
        "OPTION_INVALID; Secret 'A' is bound to 'gcp', which is not a source; Sources: vault, aws, store, environment.",
      );
    },
  );
});

describe("time", () => {
  /** A source that answers nothing until its time is over. */
  const hanging = (id: string, ms: number) =>
    outside(id, async (signal) => {
      if (signal?.aborted !== true) {
        await new Promise<void>((resolve) => {
          setTimeout(resolve, ms);
          signal?.addEventListener("abort", () => resolve());
        });
      }
      return { status: "unavailable", reason: "no answer", timedOut: true };
    });

  it("V1: a source that used up its time once is not waited for again, and the next has its own", async () => {
    vi.useFakeTimers();
    const [one, two] = [hanging("one", 5000), hanging("two", 4000)];
    const names = ["A", "B", "C"];
    const opening = createSecretResolver([one, two, sourceOf("store", found("s"))]).openScope(names);
    await vi.advanceTimersByTimeAsync(4999);
    expect(two.asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1 + 4000);
    const scope = await opening;
    expect(scope.secrets.map(({ source }) => source)).toEqual(["store", "store", "store"]);
    expect(scope.fallbacks).toEqual(
      ["one", "two"].map((source) => ({ source, status: "unavailable", reason: "no answer", names })),
    );
  });

  it("V1: all of them together have 10 s; then the local ones are asked", async () => {
    vi.useFakeTimers();
    const sources = ["one", "two", "three"].map((id) => hanging(id, 5000));
    const opening = createSecretResolver([...sources, sourceOf("store", found("s"))]).openScope(["A"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await opening).secrets).toMatchObject([{ source: "store" }]);
  });

  it("ends when the caller gives up", async () => {
    const controller = new AbortController();
    const resolver = createSecretResolver([hanging("one", 60_000), sourceOf("store", found("s"))]);
    const opening = resolver.openScope(["A"], { signal: controller.signal });
    controller.abort(new Error("stopped"));
    await expect(opening).rejects.toThrow("stopped");
    await expect(resolver.openScope(["A"], { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow(
      "before",
    );
  });

  it("ends for all when one name stops the run, and throws what came first", async () => {
    const slow = hanging("one", 60_000);
    const bindings = { B: { source: "two", path: "p" } };
    const resolver = createSecretResolver([slow], { bindings, boundOnly: [outside("two", NO)] });
    await expect(resolver.openScope(["A", "B"])).rejects.toMatchObject({
      code: "SOURCE_FAILED",
      details: { names: ["B"], source: "two", status: "denied" },
    });
  });
});

describe("credentials of a run", () => {
  function leasing(answer: SourceAnswer = found("made")) {
    const calls: string[] = [];
    const leases: RunLeases = {
      async create(name, { lease }) {
        calls.push(`create ${name} ${lease}`);
        return await Promise.resolve(answer);
      },
      async close(signal) {
        calls.push(signal?.aborted === true ? "close at once" : "close");
        await Promise.resolve();
      },
    };
    const source = sourceOf("vault", NONE, {
      policy: OUTSIDE,
      leases: {
        async canCreate({ lease }) {
          calls.push(`ask ${lease}`);
          return await Promise.resolve(lease === "creds/a" ? { status: "found", secret: null } : NO);
        },
        open(seconds) {
          calls.push(`open ${seconds}`);
          return leases;
        },
      },
    });
    const bindings = { A: { source: "vault", lease: "creds/a" }, B: { source: "vault", lease: "creds/a" } };
    return { calls, source, resolver: createSecretResolver([source], { bindings }) };
  }
  const options = { leases: { seconds: 60, onEvent: () => undefined } };

  it("are made for the scope, and given back when it is closed", async () => {
    const { calls, resolver } = leasing();
    const scope = await resolver.openScope(["A", "B"], options);
    expect(scope.secrets).toMatchObject([{ name: "A", source: "vault", fields: { value: "made" } }, { name: "B" }]);
    const closed = scope.close();
    expect(scope.secrets).toEqual([]);
    await closed;
    await scope.close();
    expect(calls).toEqual(["open 60", "create A creds/a", "create B creds/a", "close"]);
  });

  it("are given back without a wait where nobody wants to wait", async () => {
    const { calls, resolver } = leasing();
    const scope = await resolver.openScope(["A"], options);
    await scope.close(AbortSignal.abort());
    expect(calls.at(-1)).toBe("close at once");
  });

  it("are given back where the scope cannot be opened", async () => {
    const { calls, resolver } = leasing();
    await expect(resolver.openScope(["A", "NONE"], options)).rejects.toMatchObject({ code: "SECRETS_MISSING" });
    expect(calls).toEqual(["open 60", "create A creds/a", "close"]);
  });

  it("are not made for whoever only looks", async () => {
    const { calls, source, resolver } = leasing();
    expect((await resolver.openScope(["A"])).secrets).toEqual([]);
    expect(await resolver.explain("A")).toMatchObject({ source: "vault" });
    const other = createSecretResolver([source], { bindings: { A: { source: "vault", lease: "creds/b" } } });
    await expect(other.openScope(["A"])).rejects.toMatchObject({ code: "SOURCE_FAILED" });
    expect(calls).toEqual(["ask creds/a", "ask creds/a", "ask creds/b"]);
  });

  it("are made by no source that cannot", async () => {
    const bindings = { A: { source: "store", lease: "x" } };
    const resolver = createSecretResolver([sourceOf("store", found("s"))], { bindings });
    await expect(resolver.openScope(["A"], options)).rejects.toThrow("it cannot create credentials");
  });
});

describe("explain", () => {
  it("says who was asked, what they said, and from where the value would come; never the value", async () => {
    const resolver = createSecretResolver([outside("vault", DOWN), sourceOf("store", found("canary"))]);
    const explanation = await resolver.explain("A");
    const milliseconds = expect.any(Number);
    expect(explanation).toEqual({
      name: "A",
      binding: undefined,
      asked: [
        { source: "vault", status: "unavailable", reason: "503", milliseconds },
        { source: "store", status: "found", milliseconds },
      ],
      source: "store",
    });
    expect(JSON.stringify(explanation)).not.toContain("canary");
  });

  it("says why a run would not start", async () => {
    const binding = { source: "aws", path: "p" };
    const resolver = createSecretResolver([], { bindings: { A: binding }, boundOnly: [outside("aws", NO)] });
    expect(await resolver.explain("A")).toMatchObject({
      binding,
      asked: [{ status: "denied", reason: "403" }],
      source: null,
    });
    expect(await resolver.explain("B")).toMatchObject({ asked: [], source: null });
    await expect(resolver.explain("../x")).rejects.toMatchObject({ code: "NAME_INVALID" });
  });

  it("passes on what a source throws", async () => {
    const broken = sourceOf("store", async () => await Promise.reject(new AutokestraError("KEY_WRONG", "no")));
    const resolver = createSecretResolver([broken]);
    await expect(resolver.explain("A")).rejects.toMatchObject({ code: "KEY_WRONG" });
    await expect(resolver.openScope([parseSecretName("A")])).rejects.toMatchObject({ code: "KEY_WRONG" });
  });
});
