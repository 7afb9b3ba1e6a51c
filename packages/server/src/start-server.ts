import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type SecureContextOptions, Server as TlsServer } from "node:tls";
import type { Tokens } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import type { FastifyInstance } from "fastify";
import { limitConnections, serverOptions } from "./connections.ts";
import { buildServer, type ServerOptions } from "./create-server.ts";
import { createNetworkCheck, isLoopback } from "./hosts.ts";
import { createMetrics } from "./metrics.ts";
import { readTls, type TlsFiles, watchTlsFiles } from "./tls-files.ts";

export interface StartOptions extends Omit<ServerOptions, "tls" | "tokens"> {
  readonly tokens: Pick<Tokens, "find" | "namesOf" | "isAnyUsable">;
  /** Default: 8000. 0: any that is free. */
  readonly port?: number | undefined;
  /** Paths of certificate and private key, PEM. They are watched. Default: plain HTTP. */
  readonly tlsFiles?: TlsFiles | undefined;
  /** Called if a certificate could not be used: the previous one stays. Default: not called. */
  readonly onNotice?: ((text: string) => void) | undefined;
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
 * Starts the server. To listen on a network address, it needs TLS or a proxy that has it, and a token: without one, its owner could not be
 * told from anybody else.
 *
 * @throws AutokestraError `OPTION_INVALID` where it must not be started like this, or cannot listen there
 */
export async function startServer(given: StartOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", tokens, audit } = given;
  const options: StartOptions = { metrics: createMetrics(audit ? () => audit.state() : null), ...given };
  checkExposure(options);
  if (!isLoopback(host) && !(await tokens.isAnyUsable())) throw needsToken(host, given.unauthorizedHint);
  const tls = await readTls(options.tlsFiles);
  const listener = createListener(tls);
  listener.shareAddresses(options.behindProxy);
  const first = await buildServer({ ...options, tls }, { serverFactory: listener.serverFactory });
  const server = new ListeningServer({ first, listener, options, hasTls: tls !== undefined });
  await server.listen();
  return server;
}

/** What has the connections. */
interface Listener {
  /** Makes a server for each address of `localhost`. */
  readonly serverFactory: (handler: RequestListener) => Server;
  /** Requests are answered by this from now on. */
  answerBy(handler: RequestListener): void;
  useCertificate(read: SecureContextOptions | undefined): void;
  /** New connections from these networks are those of proxies, which have many clients. Default: none are. */
  shareAddresses(networks: readonly string[] | undefined): void;
  closeAllConnections(): void;
}

function createListener(tls: SecureContextOptions | undefined): Listener {
  const servers: (Server | TlsServer)[] = [];
  let answer: RequestListener | null = null;
  let isShared = createNetworkCheck([]);
  return {
    serverFactory(handler) {
      answer ??= handler;
      const listener: RequestListener = (request, response) => answer?.(request, response);
      const limits = serverOptions();
      const server =
        tls === undefined ? createHttpServer(limits, listener) : createHttpsServer({ ...limits, ...tls }, listener);
      limitConnections(server, undefined, (address) => isShared(address));
      servers.push(server);
      return server;
    },
    answerBy(handler) {
      answer = handler;
    },
    useCertificate(read) {
      for (const server of servers) {
        if (read !== undefined && server instanceof TlsServer) server.setSecureContext(read);
      }
    },
    shareAddresses(networks = []) {
      isShared = createNetworkCheck(networks);
    },
    closeAllConnections() {
      for (const server of servers) if ("closeAllConnections" in server) server.closeAllConnections();
    },
  };
}

interface ListeningServerParts {
  readonly first: FastifyInstance;
  readonly listener: Listener;
  readonly options: StartOptions;
  readonly hasTls: boolean;
}

class ListeningServer implements RunningServer {
  /** Has the connections, and stays; those after it answer its requests. */
  readonly #first: FastifyInstance;
  readonly #listener: Listener;
  readonly #hasTls: boolean;
  #options: StartOptions;
  #app: FastifyInstance;
  #watching: ReturnType<typeof watchTlsFiles>;

  constructor({ first, listener, options, hasTls }: ListeningServerParts) {
    this.#first = first;
    this.#listener = listener;
    this.#hasTls = hasTls;
    this.#options = options;
    this.#app = first;
    this.#watching = this.#watchCertificate();
  }

  get app(): FastifyInstance {
    return this.#app;
  }

  get address(): string {
    return addressOf(this.#first, this.#hasTls);
  }

  async listen(): Promise<void> {
    const { host = "127.0.0.1", port = 8000 } = this.#options;
    try {
      await this.#first.listen({ host, port });
    } catch (error) {
      this.#watching.stop();
      await this.#first.close();
      throw cannotListen(host, port, error);
    }
  }

  async reload(changes: Partial<StartOptions> = {}): Promise<void> {
    const { host, port } = this.#options;
    const tlsFiles = this.#hasTls ? (changes.tlsFiles ?? this.#options.tlsFiles) : undefined;
    const next: StartOptions = { ...this.#options, ...changes, host, port, tlsFiles };
    checkExposure(next);
    const read = await readTls(tlsFiles);
    const replacement = await buildServer({ ...next, tls: read }, {});
    await replacement.ready();
    const replaced = this.#app;
    this.#options = next;
    this.#app = replacement;
    this.#listener.answerBy((request, response) => replacement.routing(request, response));
    this.#listener.useCertificate(read);
    this.#listener.shareAddresses(next.behindProxy);
    this.#watching.stop();
    this.#watching = this.#watchCertificate();
    if (replaced !== this.#first) await replaced.close();
  }

  async close(): Promise<void> {
    this.#watching.stop();
    const overdue = setTimeout(() => this.#listener.closeAllConnections(), DRAIN_MS);
    try {
      const apps = this.#app === this.#first ? [this.#first] : [this.#app, this.#first];
      await Promise.all(apps.map(async (app) => await app.close()));
    } finally {
      clearTimeout(overdue);
    }
  }

  #watchCertificate(): ReturnType<typeof watchTlsFiles> {
    return watchTlsFiles(this.#options.tlsFiles, async () => {
      try {
        this.#listener.useCertificate(await readTls(this.#options.tlsFiles));
      } catch {
        this.#options.onNotice?.("the certificate cannot be used; the previous one stays in use");
      }
    });
  }
}

function checkExposure({ host = "127.0.0.1", tlsFiles, behindProxy = [] }: StartOptions): void {
  if (!isLoopback(host) && tlsFiles === undefined && behindProxy.length === 0) throw needsTls(host);
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
  const code = errorCode(error) || "unknown error";
  return new AutokestraError("OPTION_INVALID", `The server cannot listen on ${host}, port ${port} (${code})`, {
    hint: HINTS[code],
  });
}
