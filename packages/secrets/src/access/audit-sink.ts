import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { hostname } from "node:os";
import type { Writable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, isUrl } from "@autokestra/secrets-core/internal";
import type { AuditRecord } from "./audit-event.ts";
import type { AuditSinkSettings } from "./audit-settings.ts";

/** A second place for records, which stops nothing unless it is required. */
export interface AuditSink {
  /**
   * Sends records, in their order. Waits for nothing unless the sink is required.
   *
   * @throws AutokestraError `AUDIT_UNAVAILABLE` if a required sink does not accept them
   */
  send(records: readonly AuditRecord[]): Promise<void>;
  /** How many records it did not take. */
  failed(): number;
  /** Waits 2 seconds at most for what is on its way. */
  close(): Promise<void>;
}

/** How long a connection, or a piece that is written, may take, in milliseconds. */
const TIMEOUT_MS = 2000;
/** How long a sink that failed is left alone, in milliseconds. */
const RETRY_MS = 1000;
/** How many records may be on their way. */
const MAX_WAITING = 1000;

/** @throws AutokestraError `OPTION_INVALID` for an invalid address, or certificates that cannot be read */
export function createAuditSink(settings: AuditSinkSettings): AuditSink {
  const { open, format } = "syslog" in settings ? syslogSink(settings) : commandSink(settings.command);
  const isRequired = settings.required ?? false;
  let stream: Writable | null = null;
  let queue: Promise<void> = Promise.resolve();
  let retryAt = Number.NEGATIVE_INFINITY;
  let waiting = 0;
  let failed = 0;

  async function deliver(records: readonly AuditRecord[]): Promise<void> {
    if (stream === null && performance.now() < retryAt) throw new Error("left alone");
    try {
      if (stream === null || stream.destroyed || stream.writableEnded) stream = await withTimeout(open());
      await write(stream, records.map(format).join(""));
    } catch (error) {
      stream?.destroy();
      stream = null;
      retryAt = isRequired ? retryAt : performance.now() + RETRY_MS;
      throw error;
    }
  }

  async function send(records: readonly AuditRecord[]): Promise<void> {
    if (waiting > MAX_WAITING) {
      failed += records.length;
      return;
    }
    waiting += records.length;
    const delivery = queue.then(async () => await deliver(records));
    queue = delivery
      .catch(() => {
        failed += records.length;
      })
      .finally(() => {
        waiting -= records.length;
      });
    if (isRequired) await delivery;
  }

  return {
    async send(records) {
      try {
        await send(records);
      } catch (error) {
        throw sinkFailed(error);
      }
    },
    failed: () => failed,
    async close() {
      await withTimeout(queue).catch(() => undefined);
      const last = stream;
      stream = null;
      if (last === null) return;
      await withTimeout(new Promise<void>((resolve) => last.end(resolve))).catch(() => last.destroy());
    },
  };
}

interface SinkKind {
  /** Connects, or starts the program. Errors that come later destroy the stream. */
  readonly open: () => Promise<Writable>;
  readonly format: (record: AuditRecord) => string;
}

function syslogSink({ syslog, ca }: { readonly syslog: string; readonly ca?: string | undefined }): SinkKind {
  const { protocol, hostname: host, port } = parseAddress(syslog);
  const isTls = protocol === "tls:";
  const trusted = ca === undefined ? undefined : readCertificates(ca);
  const address = { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  const connect = () => (isTls ? connectTls({ ...address, ca: trusted }) : connectTcp(address));
  return {
    format: toSyslog,
    open: async () => await opened(connect(), isTls ? "secureConnect" : "connect"),
  };
}

function parseAddress(text: string): URL {
  const url = isUrl(text) ? new URL(text) : null;
  if (url !== null && /^(?:tcp|tls):$/.test(url.protocol) && url.port !== "") return url;
  throw new AutokestraError("OPTION_INVALID", "The address of the audit log's syslog server is not valid", {
    hint: "Write it as tcp://host:port or tls://host:port.",
  });
}

function readCertificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AutokestraError(
      "OPTION_INVALID",
      `The certificates of the audit log's syslog server cannot be read (${errorCode(error)})`,
    );
  }
}

function commandSink([program = "", ...args]: readonly string[]): SinkKind {
  return {
    format: (record) => `${JSON.stringify(record)}\n`,
    async open() {
      const child = spawn(program, args, { stdio: ["pipe", "ignore", "ignore"] });
      // It may outlive the last record, but must not keep the process alive.
      child.unref();
      const { stdin } = child;
      child.on("error", () => stdin.destroy());
      child.on("exit", () => stdin.destroy());
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      });
      stdin.on("error", () => stdin.destroy());
      return stdin;
    },
  };
}

async function opened(socket: Socket, event: "connect" | "secureConnect"): Promise<Writable> {
  socket.unref();
  await new Promise<void>((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => socket.destroy());
  // A server that has closed its side accepts nothing.
  socket.on("end", () => socket.destroy());
  socket.resume();
  return socket;
}

async function write(stream: Writable, text: string): Promise<void> {
  await withTimeout(
    new Promise<void>((resolve, reject) => {
      stream.write(text, (error) => (error ? reject(error) : resolve()));
    }),
  );
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("timed out")), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Facility 13 is "log audit". RFC 5424, 6.2.1. */
const FACILITY = 13 * 8;
const WARNING = 4;
const INFO = 6;

/** One message of RFC 5424 with its length before it (RFC 6587, 3.4.1): no record can end the message of another. */
function toSyslog(record: AuditRecord): string {
  const isGood = record.outcome === "done" || record.outcome === "intent";
  const host =
    hostname()
      .replace(/[^\x21-\x7e]/g, "")
      .slice(0, 255) || "-";
  const head = `<${FACILITY + (isGood ? INFO : WARNING)}>1 ${record.time} ${host} autokestra ${process.pid} audit -`;
  const message = `${head} ${JSON.stringify(record)}`;
  return `${Buffer.byteLength(message)} ${message}`;
}

function sinkFailed(error: unknown): AutokestraError {
  const code = errorCode(error);
  const reason = code === "" && error instanceof Error ? error.message : code;
  return new AutokestraError(
    "AUDIT_UNAVAILABLE",
    `The second sink of the audit log did not accept a record: ${reason}`,
    {
      hint: "It is required: nothing is given out without it.",
    },
  );
}
