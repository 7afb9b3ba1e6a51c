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

/** A figure that the program with the server adds. */
export interface Figure {
  readonly name: string;
  readonly help: string;
  /** Returns null while there is none. One that cannot be read is left out. */
  readonly read: () => number | null | Promise<number | null>;
}

/** Of most requests: reads take a few milliseconds, writes wait for the disk. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** @param auditState how the audit log is doing; null without one */
export function createMetrics(auditState: (() => AuditState) | null, figures: readonly Figure[] = []): Metrics {
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
  for (const figure of figures) addFigure(figure, registers);
  return {
    contentType: registry.contentType,
    watch(app) {
      app.addHook("onResponse", async (request, reply) => {
        // The pattern, not the path: that names secrets, and there is no end of paths.
        const route = request.routeOptions.url?.replace(/(?<=.)\/$/, "") ?? "none";
        const labels = { method: request.method, route, status: String(reply.statusCode) };
        requests.observe(labels, reply.elapsedTime / 1000);
      });
    },
    countReveal: (outcome) => reveals.inc({ outcome }),
    read: async () => await registry.metrics(),
  };
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

function addFigure({ name, help, read }: Figure, registers: Registry[]): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    registers,
    async collect() {
      gauge.remove();
      try {
        const value = await read();
        if (value !== null) gauge.set(value);
      } catch {
        // The other figures are still of use.
      }
    },
  });
}
