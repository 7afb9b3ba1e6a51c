import { type ExternalSecretProvider, parseSecretName } from "@autokestra/secrets-core";
import type { CallReport } from "../http-call.ts";
import { createProviderSource } from "../provider-source.ts";
import { CANARY, type Fault, type SeenRequest, type SoundAnswer, startFaultServer } from "./fault-server.ts";
import type { Expect, It } from "./provider-contract.ts";

/** The outcome of one lookup from a server with a fault. */
export interface FaultFigures {
  readonly fault: Fault;
  readonly stage: "login" | "read";
  readonly status: string;
  readonly seconds: number;
  readonly requests: number;
  /** The growth of the memory of this thread at its peak, in megabytes. */
  readonly megabytes: number;
}

export interface FaultContractOptions {
  readonly it: It;
  /**
   * Registers the tests of servers that say nothing, or not enough: `it.concurrent`, so that they wait at the same time. Default: `it`.
   */
  readonly itConcurrently?: It | undefined;
  readonly expect: Expect;
  /** Creates a provider for an address, with tokens that are {@link FaultContractOptions.canaries}. */
  readonly open: (
    address: string,
    onCall: (call: CallReport) => void,
  ) => ExternalSecretProvider | Promise<ExternalSecretProvider>;
  /** The answer of a server without faults, so that the provider finds a value. */
  readonly answer: (request: SeenRequest) => SoundAnswer | Promise<SoundAnswer>;
  /** The path of that value. */
  readonly path: string;
  /** Texts that no answer may contain: tokens, passwords, the value. */
  readonly canaries: readonly string[];
  /**
   * Tells whether a request is one of a login. Then each fault is tested for login and read. Default: there is no
   * login.
   */
  readonly isLogin?: ((request: SeenRequest) => boolean) | undefined;
  /**
   * The time limit of a lookup from a server that says nothing, or not enough, in seconds; at least 2 from one that sends a byte a
   * second. Default: 2.
   */
  readonly timeoutSeconds?: number | undefined;
  /** Called with the outcome of each fault. Default: nothing. */
  readonly onFigures?: ((figures: FaultFigures) => void) | undefined;
}

/** The expected answer of a lookup for each fault of the server. */
const EXPECTED: Readonly<Record<Fault, string>> = {
  "hang at connect": "unavailable",
  "hang at headers": "unavailable",
  "hang in the body": "unavailable",
  "one byte a second": "unavailable",
  reset: "unavailable",
  "403": "denied",
  "404": "notFound",
  "429 with Retry-After 3600": "unavailable",
  "500 for ever": "unavailable",
  "200 null": "malformed",
  "200 HTML": "malformed",
  "cut JSON": "malformed",
  "gzip bomb of 1 GB": "malformed",
  "self-signed TLS": "denied",
  redirect: "malformed",
};

/** Each of these takes all the time that there is. */
const SILENT: ReadonlySet<Fault> = new Set([
  "hang at connect",
  "hang at headers",
  "hang in the body",
  "one byte a second",
]);

/** In seconds, of a server that answers: only what hangs ends here. */
const PATIENCE = 100;

/** In seconds, of one that sends a byte a second: with less time it would have sent none. */
const TWO_BYTES = 2;

const MAX_REQUESTS = 6;
const MAX_MEGABYTES = 100;

/**
 * Registers one test for each fault of a server: the answer must be the right one, with few requests and little memory,
 * and contain no secret text. A server that says nothing must not be waited for.
 */
export function providerFaultContract(options: FaultContractOptions): void {
  const { it, itConcurrently = it, isLogin } = options;
  const faults = Object.keys(EXPECTED) as Fault[];
  for (const fault of faults) {
    // A refused connection has no requests, so login and read do not differ.
    const isEarly = fault === "hang at connect" || fault === "self-signed TLS";
    const stages = isLogin === undefined || isEarly ? (["read"] as const) : (["login", "read"] as const);
    const register = SILENT.has(fault) ? itConcurrently : it;
    for (const stage of stages) register(`${stage}: ${fault}`, async () => await check(fault, stage, options), 120_000);
  }
}

async function check(fault: Fault, stage: FaultFigures["stage"], options: FaultContractOptions): Promise<void> {
  const { expect, open, answer, path, canaries, isLogin = () => false, timeoutSeconds = 2, onFigures } = options;
  const server = await startFaultServer(fault, answer, (request) => isLogin(request) === (stage === "login"));
  const calls: CallReport[] = [];
  const provider = await open(server.address, (call) => calls.push(call));
  const memory = watchMemory();
  const start = performance.now();
  try {
    const limit = fault === "one byte a second" ? Math.max(timeoutSeconds, TWO_BYTES) : timeoutSeconds;
    const source = createProviderSource(provider, { timeoutSeconds: SILENT.has(fault) ? limit : PATIENCE });
    const given = await source.lookup(parseSecretName("DB"), { binding: { source: provider.id, path } });
    const seconds = (performance.now() - start) / 1000;
    const megabytes = memory.stop();
    onFigures?.({ fault, stage, status: given.status, seconds, requests: server.requests.length, megabytes });
    // A login that does not exist says nothing about a secret.
    expect(given.status).toBe(stage === "login" && fault === "404" ? "malformed" : EXPECTED[fault]);
    expect(server.requests.length).toBeLessThanOrEqual(MAX_REQUESTS);
    expect(megabytes).toBeLessThanOrEqual(MAX_MEGABYTES);
    expect(server.requests.filter((request) => request.path.startsWith("/elsewhere"))).toEqual([]);
    const said = JSON.stringify([given, calls]);
    expect([CANARY, ...canaries].filter((canary) => said.includes(canary))).toEqual([]);
  } finally {
    memory.stop();
    // A provider that logs out of a server that says nothing would wait for it once more.
    if (SILENT.has(fault)) await server.close();
    await provider.close();
    if (!SILENT.has(fault)) await server.close();
  }
}

function watchMemory(): { stop(): number } {
  const before = usedMemory();
  let peak = before;
  const look = () => {
    peak = Math.max(peak, usedMemory());
  };
  const timer = setInterval(look, 10);
  return {
    stop() {
      look();
      clearInterval(timer);
      return Math.round((peak - before) / 1024 / 1024);
    },
  };
}

/** Of this thread alone: other tests can run in the same process. */
function usedMemory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
