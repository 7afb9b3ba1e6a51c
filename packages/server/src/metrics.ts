import type { AuditState } from "@autokestra/secrets";
import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What the server counts, for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  /** Counts the requests of a server. */
  watch(app: FastifyInstance): void;
  countReveal(outcome: "given" | "failed"): void;
  /** The text that Prometheus reads. */
  read(): Promise<string>;
}

/** Of most requests: reads take a few milliseconds, writes wait for the disk. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const MAX_UNCOUNTED = 200;

type RequestLabels = Readonly<Record<"method" | "route" | "status", string>>;

/** @param auditState how the audit log is doing; null without one */
export function createMetrics(auditState: (() => AuditState) | null): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
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
  if (auditState !== null) addAuditMetrics(auditState, registers);
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
    async read() {
      countAll();
      return await registry.metrics();
    },
  };
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
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(auditState()[figure]) });
  }
}
