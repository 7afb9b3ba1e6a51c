import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { AuditLog, Tokens } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import swagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { type AccessControl, createAccessControl } from "./access-control.ts";
import { addAuditRoutes, type ShownAuditLog } from "./audit-api.ts";
import { CONNECTION_LIMITS, limitConnections, serverOptions } from "./connections.ts";
import { markOptionalBodies } from "./documents.ts";
import { checkOrigins, countHeader, createHostCheck, createNetworkCheck } from "./hosts.ts";
import { applyHttpRules, sendProblem } from "./http-rules.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { addOperations, OPEN_PATHS } from "./operations-api.ts";
import { addPage, readPage } from "./page.ts";
import type { ReadinessCheck } from "./readiness.ts";
import { addSecretRoutes } from "./secret-routes.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";
import { addSessionRoute } from "./session-api.ts";

export interface ServerOptions extends Omit<SecretsApiOptions, "onReveal" | "onFailure" | "audit" | "tokens"> {
  readonly tokens: Pick<Tokens, "find" | "namesOf">;
  /** Where refused attempts are recorded, and what is shown of it. Default: nowhere, and nothing. */
  readonly audit?: (Pick<AuditLog, "record" | "state"> & ShownAuditLog) | null | undefined;
  /** The address that the server will listen on: it is one of its names. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Other names under which the server is reached. Default: none. */
  readonly hosts?: readonly string[] | undefined;
  /** Certificate and private key, PEM. Default: plain HTTP. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined;
  /** Addresses of proxies, as CIDR: nobody else is served, and what they say of a client's address counts. Default: none. */
  readonly behindProxy?: readonly string[] | undefined;
  /** The workflows that can be started, and their runs: `serveRuns` makes it. Default: the server has secrets only. */
  readonly runs?: RunRoutes | undefined;
  /** What must work for the server to be ready. Default: nothing. */
  readonly checks?: readonly ReadinessCheck[] | undefined;
  /** Where a line of JSON for each request goes. Default: nowhere. */
  readonly log?: { write(line: string): void } | undefined;
  /** What counts for `/metrics`. Default: figures of this server alone. */
  readonly metrics?: Metrics | undefined;
}

/** The routes of workflows and runs. What they need is loaded with `@autokestra/server/runs` alone. */
export interface RunRoutes {
  /** Those that anybody may call. */
  readonly openPaths: readonly string[];
  addTo(app: FastifyInstance, access: AccessControl, secretsFor: SecretsApiOptions["secretsFor"]): Promise<void>;
}

/** For browsers, with every answer. The page of the reference needs its style, and nothing else. */
const BROWSER_HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const TLS_HEADERS = { ...BROWSER_HEADERS, "strict-transport-security": "max-age=31536000" };

/**
 * Creates the HTTP server of an installation: the page at `/`, the secrets under `/api/secrets`, health, metrics, and the description of
 * it all. Call its `listen`, and its `close` at the end; what it was given stays open.
 *
 * @throws AutokestraError `OPTION_INVALID`
 * @example
 * ```ts no-run
 * import { openSecretsManager, openTokens } from "@autokestra/secrets";
 * import { createServer } from "@autokestra/server";
 *
 * const storagePath = "/srv/app/.workflow/secrets";
 * const manager = await openSecretsManager({ storagePath, audit: true });
 * const tokens = await openTokens(manager);
 * const server = await createServer({ secretsFor: (context) => manager.as(context), tokens, audit: manager.audit });
 * await server.listen({ port: 8000 });
 * ```
 */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  return await buildServer(options, {});
}

/** @param http what fastify is told of its server */
export async function buildServer(
  options: ServerOptions,
  http: Pick<FastifyServerOptions, "serverFactory">,
): Promise<FastifyInstance> {
  const { host = "127.0.0.1", hosts = [], tls, behindProxy = [], corsOrigins = [], audit, log, runs } = options;
  checkOrigins(corsOrigins);
  const isOurHost = createHostCheck(host, hosts);
  const isProxy = behindProxy.length === 0 ? null : createNetworkCheck(behindProxy);
  const access = createAccessControl(options);
  const { metrics = createMetrics(audit ? () => audit.state() : null) } = options;
  const page = readPage();

  /** First of all, also where a path is none. */
  function checkHost(request: FastifyRequest): void {
    if (isProxy !== null && !isProxy(request.socket.remoteAddress ?? "")) throw onlyProxies();
    if (countHeader(request.raw, "host") !== 1 || !isOurHost(request.host)) throw unknownHost();
    // `GET http://other/path` is to that host, whatever its header says.
    const [, target] = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(request.raw.url ?? "") ?? [];
    if (target !== undefined && !isOurHost(target)) throw unknownHost();
  }

  /** Fastify calls no hooks for a path that cannot be decoded. */
  async function refuseBadUrl(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    let refusal = error;
    try {
      checkHost(request);
      await access.authenticate(request);
    } catch (thrown) {
      refusal = thrown;
    }
    reply.headers(BROWSER_HEADERS);
    await sendProblem(refusal, request, reply, onFailure);
  }

  function onFailure(request: FastifyRequest, error: unknown): void {
    metrics.countFailure(codeOf(error));
    logFailure(log, request, error);
  }

  const app = fastify({
    ...http,
    ...fastifyOptions(tls, isProxy),
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      void refuseBadUrl(error, request, reply),
  } as FastifyServerOptions) as FastifyInstance;
  // A server that was made elsewhere has its limits.
  if (http.serverFactory === undefined) limitConnections(app.server);
  // Node.js would answer 417 by itself, without a problem, headers and log. An expectation that nobody knows is left unfulfilled.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  app.decorateRequest("principal", null);
  const rules = applyHttpRules(app, onFailure);
  addBrowserHeaders(app, tls === undefined ? BROWSER_HEADERS : TLS_HEADERS);
  checkFirst(app, checkHost);
  // Before tokens are asked for: browsers send none with the question whether they may ask.
  if (corsOrigins.length > 0) allowOrigins(app, corsOrigins);
  const openRoutes = openRoutesOf([...OPEN_PATHS, ...(runs?.openPaths ?? []), ...page.map(({ path }) => path)]);
  app.addHook("onRequest", async (request) => {
    if (!openRoutes.has(request.routeOptions.url)) await access.authenticate(request);
  });
  rules.refuseUnknownPaths();
  metrics.watch(app);
  if (log !== undefined) {
    app.addHook("onResponse", (request, reply, done) => {
      logRequest(log, request, reply);
      done();
    });
  }
  await app.register(swagger, { openapi: API, transform: jsonSchemaTransform, transformObject: markOptionalBodies });
  await app.register(async (operations) => addOperations(operations, access, metrics, options.checks ?? []));
  await app.register(async (files) => addPage(files, page));
  await addApi(app, access, options, metrics);
  return app;
}

/** What fastify is told, but for what needs its requests. */
function fastifyOptions(tls: ServerOptions["tls"], isProxy: ((address: string) => boolean) | null): object {
  return {
    ...(tls === undefined
      ? { http: serverOptions() }
      : { https: { ...serverOptions(), ...tls, minVersion: "TLSv1.2" } }),
    genReqId: () => crypto.randomUUID(),
    requestIdHeader: false,
    trustProxy: isProxy === null ? false : (address: string) => isProxy(address),
    requestTimeout: CONNECTION_LIMITS.requestMs,
    forceCloseConnections: "idle",
    // What still comes over open connections is served, and is the last over each: fastify's own 503 is no problem of ours.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1000 },
    clientErrorHandler: refuseMalformed,
  };
}

// Of the first hooks and the last ones, none waits: a promise for each would cost every request.

function addBrowserHeaders(app: FastifyInstance, headers: Readonly<Record<string, string>>): void {
  app.addHook("onSend", (_, reply, payload, done) => {
    reply.headers(headers);
    done(null, payload);
  });
}

/** @param check throws what the request is refused with */
function checkFirst(app: FastifyInstance, check: (request: FastifyRequest) => void): void {
  app.addHook("onRequest", (request, reply, done) => {
    try {
      check(request);
      // Nothing is done where the connection was ended for what came over it before.
      if (request.raw.socket.destroyed) reply.hijack();
      else done();
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The routes below `/api`. */
async function addApi(
  app: FastifyInstance,
  access: AccessControl,
  { secretsFor, audit, runs, tokens }: ServerOptions,
  metrics: Metrics,
): Promise<void> {
  const onReveal = (outcome: "given" | "failed") => metrics.countReveal(outcome);
  await app.register(async (secrets) => addSecretRoutes(secrets, access, { secretsFor, onReveal }), {
    prefix: "/api/secrets",
  });
  addSessionRoute(app, access, { runs: runs !== undefined, audit: audit != null }, secretsFor);
  if (audit != null) addAuditRoutes(app, access, audit, tokens, secretsFor);
  await runs?.addTo(app, access, secretsFor);
}

/** Lets pages of these origins call the server (https://fetch.spec.whatwg.org/#http-cors-protocol). */
function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  app.addHook("onRequest", async (request, reply) => {
    const { origin = "", "access-control-request-method": wanted } = request.headers;
    reply.header("vary", "Origin");
    if (!origins.includes(origin)) return undefined;
    reply.headers({ "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED_HEADERS });
    if (request.method !== "OPTIONS" || wanted === undefined) return undefined;
    return await reply.code(204).headers(PREFLIGHT_HEADERS).send();
  });
}

const EXPOSED_HEADERS = "ETag, Link, Location, Retry-After, X-Request-Id, X-Total-Count";
const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE",
  "access-control-allow-headers":
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID",
  "access-control-max-age": "600",
};

/** With and without a slash at their end. What is not found has no route, and so is not open. */
function openRoutesOf(paths: readonly string[]): ReadonlySet<string | undefined> {
  return new Set(paths.flatMap((path) => [path, `${path}/`]));
}

const API: NonNullable<FastifyDynamicSwaggerOptions["openapi"]> = {
  openapi: "3.1.0",
  info: { title: "autokestra", description: "Encrypted secrets for workflow engines", version: "1" },
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  security: [{ token: [] }],
};

/** What Node.js takes for no HTTP: two lengths, two ways to say the length, no host, headers that are too large. */
function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const title = STATUS_CODES[status] ?? "";
  const problem = {
    type: "about:blank",
    title,
    status,
    detail: "This is no valid HTTP request",
    code: "REQUEST_INVALID",
  };
  const body = JSON.stringify({ ...problem, requestId: crypto.randomUUID() });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Cache-Control: no-store",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

type Log = ServerOptions["log"];

/** No path, no query and no header: these can hold what nobody may read later. */
function logRequest(log: Log, request: FastifyRequest, reply: FastifyReply): void {
  const { id, method, principal, routeOptions } = request;
  const [token, route] = [principal?.id ?? null, routeOptions.url ?? null].map((text) => JSON.stringify(text));
  const ms = Math.round(reply.elapsedTime * 10) / 10;
  const head = `{"time":"${new Date().toISOString()}","level":"info","requestId":"${id}"`;
  log?.write(
    `${head},"token":${token},"method":"${method}","route":${route},"status":${reply.statusCode},"ms":${ms}}\n`,
  );
}

/** The message of an error can hold anything. */
function logFailure(log: Log, request: FastifyRequest, error: unknown): void {
  const code = codeOf(error);
  const name = error instanceof Error ? error.name : typeof error;
  // Places, without the first lines, which repeat the message.
  const places = error instanceof Error ? (error.stack?.match(/^\s+at .*$/gm) ?? []).map((at) => at.trim()) : [];
  const time = new Date().toISOString();
  const line = { time, level: "error", requestId: request.id, code, name, places: places.slice(0, 5) };
  log?.write(`${JSON.stringify(line)}\n`);
}

function codeOf(error: unknown): string {
  return error instanceof AutokestraError ? error.code : "INTERNAL";
}

function unknownHost(): AutokestraError {
  return new AutokestraError("HOST_UNKNOWN", "This server does not have that name");
}

function onlyProxies(): AutokestraError {
  return new AutokestraError("HOST_UNKNOWN", "This server accepts connections only from its proxy");
}
