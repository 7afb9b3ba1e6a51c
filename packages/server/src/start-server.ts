import { readFile, watch } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import type { Server as TlsServer } from "node:tls";
import type { Tokens } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance } from "fastify";
import { createServer, type ServerOptions } from "./create-server.ts";
import { isLoopback } from "./hosts.ts";

export interface StartOptions extends Omit<ServerOptions, "tls" | "tokens"> {
  readonly tokens: Pick<Tokens, "find" | "isAnyUsable">;
  /** Default: 8000. 0: any that is free. */
  readonly port?: number | undefined;
  /** Paths of certificate and private key, PEM. They are watched. Default: plain HTTP. */
  readonly tlsFiles?: { readonly cert: string; readonly key: string } | undefined;
  /** Told that a certificate could not be taken: the one before stays. Default: nobody is. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** A server that answers. */
export interface RunningServer {
  readonly app: FastifyInstance;
  /** `https://127.0.0.1:8000` */
  readonly address: string;
  /** Reads the certificate again. */
  reload(): Promise<void>;
  /** Takes no new connections, lets requests in flight end, and ends those that take longer than 5 seconds. */
  close(): Promise<void>;
}

const DRAIN_MS = 5000;

/**
 * Starts the server. Another address than that of this machine alone needs TLS, or a proxy that has it, and a token: without one, whoever
 * comes first could not be told from anybody else.
 *
 * @throws AutokestraError `OPTION_INVALID` where it must not be started like this, or cannot listen there
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8000, tlsFiles, behindProxy = [], tokens, onNotice } = options;
  if (!isLoopback(host)) {
    if (tlsFiles === undefined && behindProxy.length === 0) throw needsTls(host);
    if (!(await tokens.isAnyUsable())) throw needsToken(host);
  }
  const tls = tlsFiles === undefined ? undefined : await readTls(tlsFiles);
  const app = await createServer({ ...options, tls });

  async function reload(): Promise<void> {
    if (tlsFiles === undefined) return;
    try {
      (app.server as unknown as TlsServer).setSecureContext({ ...(await readTls(tlsFiles)), minVersion: "TLSv1.2" });
    } catch {
      onNotice?.("the certificate cannot be used; the one before stays");
    }
  }

  const watching = new AbortController();
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw cannotListen(host, port, error);
  }
  if (tlsFiles !== undefined) {
    for (const file of Object.values(tlsFiles)) void watchFile(file, reload, watching.signal);
  }
  return {
    app,
    address: addressOf(app, tls !== undefined),
    reload,
    async close() {
      watching.abort();
      const overdue = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
      try {
        await app.close();
      } finally {
        clearTimeout(overdue);
      }
    },
  };
}

async function readTls({ cert, key }: { readonly cert: string; readonly key: string }) {
  try {
    return { cert: await readFile(cert), key: await readFile(key) };
  } catch {
    throw new AutokestraError("OPTION_INVALID", "The certificate or its private key cannot be read");
  }
}

/** Certificates are replaced by renaming: the file that is watched is gone then, and watched anew. */
async function watchFile(path: string, onChange: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { eventType } of watch(path, { signal, persistent: false })) {
        await onChange();
        if (eventType === "rename") break;
      }
    } catch {
      // It is being replaced, or the server is closed.
    }
    await new Promise((resolve) => setTimeout(resolve, 1000).unref());
    if (!signal.aborted) await onChange();
  }
}

function addressOf(app: FastifyInstance, hasTls: boolean): string {
  const { address, family, port } = app.server.address() as AddressInfo;
  return `http${hasTls ? "s" : ""}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

function needsTls(host: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `The server does not listen on ${host} without TLS`, {
    hint: "Give it a certificate, or name the proxy in front of it that has one.",
  });
}

function needsToken(host: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `The server does not listen on ${host} while there is no token`);
}

function cannotListen(host: string, port: number, error: unknown): AutokestraError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return new AutokestraError("OPTION_INVALID", `The server cannot listen on ${host}, port ${port} (${code})`);
}
