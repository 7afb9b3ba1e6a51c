import type { AuditState } from "@autokestra/secrets";
import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { CheckedPart } from "./readiness.ts";

/** A call to a provider of secrets, or an attempt of one. */
export interface ProviderCall {
  /** Its name in the configuration. */
  readonly provider: string;
  /** What was asked for, such as `read` or `login`. */
  readonly call: string;
  /** The status of the answer, or what kept it from coming. */
  readonly status: string;
  readonly milliseconds: number;
}

/** What the server counts, for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  /** Counts the requests of a server. */
  watch(app: FastifyInstance): void;
  countReveal(outcome: "given" | "failed"): void;
  /** Counts a failure of the server itself. */
  countFailure(code: string): void;
  countProviderCall(call: ProviderCall): void;
  /** Counts a run that has ended. */
  countRun(status: RunEnd): void;
  /** Keeps what the last look at all parts has found. */
  setReady(parts: readonly CheckedPart[]): void;
  /** The text that Prometheus reads. */
  read(): Promise<string>;
}

/** A figure that the program with the server adds. */
export interface Figure {
  readonly name: string;
  readonly help: string;
  /** Returns null while there is none. One that cannot be read is left out. */
  readonly read: () => number | null | Promise<number | null>;
}

/** How a run can end. */
const RUN_ENDS = ["success", "failed", "cancelled"] as const;

type RunEnd = (typeof RUN_ENDS)[number];

/** Of most requests: reads take a few milliseconds, writes wait for the disk. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const MAX_UNCOUNTED = 200;

type RequestLabels = Readonly<Record<"method" | "route" | "status", string>>;

/** Failures worth an alert. */
const FAILURES = [
  "AUDIT_UNAVAILABLE",
  "INTEGRITY_FAILED",
  "INTERNAL",
  "KEY_WRONG",
  "STORE_CORRUPT",
  "STORE_UNAVAILABLE",
];

/**
 * Creates what counts for Prometheus. A server has its own; create one to keep it while servers are replaced, or to count calls to
 * providers.
 *
 * @param auditState how the audit log is doing; null without one
 * @param figures what else is shown
 */
export function createMetrics(auditState: (() => AuditState) | null, figures: readonly Figure[] = []): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const { requests, reveals, failures, providerRequests, providerSeconds, runs, ready } = createCounters(registers);
  if (auditState !== null) addAuditMetrics(auditState, registers);
  for (const figure of figures) addFigure(figure, registers);
  /** Requests that are not counted yet: to count many at once takes a fifth of the time. */
  let uncounted: { readonly labels: RequestLabels; readonly seconds: number }[] = [];

  function countAll(): void {
    for (const { labels, seconds } of uncounted) requests.observe(labels, seconds);
    uncounted = [];
  }

  return {
    contentType: registry.contentType,
    watch(app) {
      app.addHook("onResponse", ({ method, routeOptions }, reply, done) => {
        // The pattern, not the path: that names secrets, and there is no end of paths.
        const route = routeOptions.url === undefined ? "none" : withoutSlash(routeOptions.url);
        const labels = { method, route, status: String(reply.statusCode) };
        uncounted.push({ labels, seconds: reply.elapsedTime / 1000 });
        if (uncounted.length === MAX_UNCOUNTED) countAll();
        done();
      });
    },
    countReveal: (outcome) => reveals.inc({ outcome }),
    countFailure: (code) => failures.inc({ code }),
    countRun: (status) => runs.inc({ status }),
    countProviderCall({ provider, call, status, milliseconds }) {
      providerRequests.inc({ provider, call, status });
      providerSeconds.observe({ provider, call }, milliseconds / 1000);
    },
    setReady(parts) {
      ready.reset();
      for (const { part, status } of parts) ready.set({ part }, status === "ok" ? 1 : 0);
    },
    async read() {
      countAll();
      return await registry.metrics();
    },
  };
}

/** What is counted here. Prometheus sees no increase in a new series, so series that are known beforehand begin at 0. */
function createCounters(registers: Registry[]) {
  const requests = new Histogram({
    name: "autokestra_http_request_seconds",
    help: "Requests by method, route and status, and how long they took",
    labelNames: ["method", "route", "status"],
    buckets: SECONDS,
    registers,
  });
  const reveals = new Counter({
    name: "autokestra_secret_reads_total",
    help: "Attempts to read the value of a secret, by outcome",
    labelNames: ["outcome"],
    registers,
  });
  for (const outcome of ["given", "failed"]) reveals.inc({ outcome }, 0);
  const failures = new Counter({
    name: "autokestra_failures_total",
    help: "Requests that failed on the side of the server, by the code of the error",
    labelNames: ["code"],
    registers,
  });
  for (const code of FAILURES) failures.inc({ code }, 0);
  const providerRequests = new Counter({
    name: "autokestra_provider_requests_total",
    help: "Requests to providers of secrets by provider, call and status, each attempt by itself",
    labelNames: ["provider", "call", "status"],
    registers,
  });
  const providerSeconds = new Histogram({
    name: "autokestra_provider_request_seconds",
    help: "How long requests to providers of secrets took",
    labelNames: ["provider", "call"],
    buckets: SECONDS,
    registers,
  });
  const runs = new Counter({
    name: "autokestra_runs_total",
    help: "Runs of this server that have ended, by status",
    labelNames: ["status"],
    registers,
  });
  for (const status of RUN_ENDS) runs.inc({ status }, 0);
  const ready = new Gauge({
    name: "autokestra_ready",
    help: "Whether a part worked when /health/ready was last asked: 1 or 0",
    labelNames: ["part"],
    registers,
  });
  return { requests, reveals, failures, providerRequests, providerSeconds, runs, ready };
}

function withoutSlash(route: string): string {
  return route.length > 1 && route.endsWith("/") ? route.slice(0, -1) : route;
}

function addAuditMetrics(auditState: () => AuditState, registers: Registry[]): void {
  const figures: readonly [keyof AuditState, string, string][] = [
    ["recorded", "autokestra_audit_records_total", "Records that were written to the audit log"],
    ["failed", "autokestra_audit_failures_total", "Records that could not be written: nothing was given out"],
    ["sinkFailed", "autokestra_audit_sink_failures_total", "Records that the second sink did not take"],
  ];
  for (const [figure, name, help] of figures) {
    addFigure({ name, help, read: () => auditState()[figure] }, registers);
  }
}

/** A counter where it is named as one, which is read and not counted here; otherwise a gauge. */
function addFigure({ name, help, read }: Figure, registers: Registry[]): void {
  const settings = { name, help, registers, collect };
  const metric: Counter | Gauge = name.endsWith("_total") ? new Counter(settings) : new Gauge(settings);

  async function collect(): Promise<void> {
    metric.remove();
    try {
      const value = await read();
      if (value !== null) metric.inc(value);
    } catch {
      // The other figures are still of use.
    }
  }
}
