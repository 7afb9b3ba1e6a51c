import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createSecureContext, type SecureContextOptions, Server as TlsServer } from "node:tls";
import type { Tokens } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance } from "fastify";
import { limitConnections, serverOptions } from "./connections.ts";
import { buildServer, type ServerOptions } from "./create-server.ts";
import { isLoopback } from "./hosts.ts";
import { createMetrics } from "./metrics.ts";

export interface StartOptions extends Omit<ServerOptions, "tls" | "tokens"> {
  readonly tokens: Pick<Tokens, "find" | "namesOf" | "isAnyUsable">;
  /** Default: 8000. 0: any that is free. */
  readonly port?: number | undefined;
  /** Paths of certificate and private key, PEM. They are watched. Default: plain HTTP. */
  readonly tlsFiles?: TlsFiles | undefined;
  /** Told that a certificate could not be taken: the one before stays. Default: nobody is. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A server that answers. */
export interface RunningServer {
  /** What answers now: another one after each `reload`. */
  readonly app: FastifyInstance;
  /** `https://127.0.0.1:8000` */
  readonly address: string;
  /**
   * Answers by other options from now on, and reads certificate and key again. Requests in flight end by those before. Host, port,
   * and whether there is TLS, stay as they are.
   *
   * @param changes options that are not named stay
   * @throws AutokestraError `OPTION_INVALID` where these options cannot be used: nothing has changed then
   */
  reload(changes?: Partial<StartOptions>): Promise<void>;
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
export async function startServer(given: StartOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8000, tokens, audit } = given;
  let options: StartOptions = { metrics: createMetrics(audit ? () => audit.state() : null), ...given };
  checkExposure(options);
  if (!isLoopback(host) && !(await tokens.isAnyUsable())) throw needsToken(host, given.unauthorizedHint);
  const tls = await readTls(options.tlsFiles);
  const servers: (Server | TlsServer)[] = [];
  let answer: RequestListener | null = null;

  // One for each address of `localhost`.
  function serverFactory(handler: RequestListener): Server {
    answer ??= handler;
    const listener: RequestListener = (request, response) => answer?.(request, response);
    const limits = serverOptions();
    const server =
      tls === undefined ? createHttpServer(limits, listener) : createHttpsServer({ ...limits, ...tls }, listener);
    limitConnections(server);
    servers.push(server);
    return server;
  }

  function useCertificate(read: SecureContextOptions | undefined): void {
    for (const server of servers) if (read !== undefined && server instanceof TlsServer) server.setSecureContext(read);
  }

  async function reloadCertificate(): Promise<void> {
    try {
      useCertificate(await readTls(options.tlsFiles));
    } catch {
      options.onNotice?.("the certificate cannot be used; the one before stays");
    }
  }

  // The first one has the connections, and stays; those after it answer its requests.
  const first = await buildServer({ ...options, tls }, { serverFactory });
  let app = first;
  let watching = watchFiles(options.tlsFiles, reloadCertificate);
  try {
    await first.listen({ host, port });
  } catch (error) {
    watching.stop();
    await first.close();
    throw cannotListen(host, port, error);
  }
  return {
    get app() {
      return app;
    },
    address: addressOf(first, tls !== undefined),
    async reload(changes = {}) {
      const tlsFiles = tls === undefined ? undefined : (changes.tlsFiles ?? options.tlsFiles);
      const next: StartOptions = { ...options, ...changes, host, port, tlsFiles };
      checkExposure(next);
      const read = await readTls(tlsFiles);
      const replacement = await buildServer({ ...next, tls: read }, {});
      await replacement.ready();
      const replaced = app;
      options = next;
      app = replacement;
      answer = (request, response) => replacement.routing(request, response);
      useCertificate(read);
      watching.stop();
      watching = watchFiles(tlsFiles, reloadCertificate);
      if (replaced !== first) await replaced.close();
    },
    async close() {
      watching.stop();
      const overdue = setTimeout(() => {
        for (const server of servers) if ("closeAllConnections" in server) server.closeAllConnections();
      }, DRAIN_MS);
      try {
        await Promise.all(app === first ? [first.close()] : [app.close(), first.close()]);
      } finally {
        clearTimeout(overdue);
      }
    },
  };
}

function checkExposure({ host = "127.0.0.1", tlsFiles, behindProxy = [] }: StartOptions): void {
  if (!isLoopback(host) && tlsFiles === undefined && behindProxy.length === 0) throw needsTls(host);
}

async function readTls(files: TlsFiles | undefined) {
  if (files === undefined) return undefined;
  try {
    const pair = { cert: await readFile(files.cert), key: await readFile(files.key), minVersion: "TLSv1.2" } as const;
    createSecureContext(pair);
    return pair;
  } catch {
    throw new AutokestraError("OPTION_INVALID", "The certificate and its private key cannot be used", {
      hint: "Are both files PEM, readable, and of the same key?",
    });
  }
}

/** How often it is looked whether a certificate has changed, and how long both files of one get to change. */
const LOOK_MS = 1000;
const SETTLE_MS = 500;

/**
 * Looks at the files now and then. Events of the file system would not tell of all that replaces a certificate: a link that leads
 * elsewhere, as those of certbot, or another machine.
 */
function watchFiles(files: TlsFiles | undefined, onChange: () => Promise<void>): { stop(): void } {
  const paths = Object.values(files ?? {});
  let timer: NodeJS.Timeout | undefined;
  const onStat = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void onChange(), SETTLE_MS).unref();
  };
  for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, onStat);
  // What has changed between its reading and the first look.
  if (paths.length > 0) onStat();
  return {
    stop() {
      clearTimeout(timer);
      for (const path of paths) unwatchFile(path, onStat);
    },
  };
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

function needsToken(host: string, hint: string | undefined): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `The server does not listen on ${host} while there is no token`, {
    hint,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "Another program has this port: take another one.",
  EADDRNOTAVAIL: "No network of this machine has this address.",
  EACCES: "Ports below 1024 are for the system: take another one, with a proxy in front.",
};

function cannotListen(host: string, port: number, error: unknown): AutokestraError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return new AutokestraError("OPTION_INVALID", `The server cannot listen on ${host}, port ${port} (${code})`, {
    hint: HINTS[code],
  });
}
