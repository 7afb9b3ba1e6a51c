import type { OpenedTokens, SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, collect, defineCommand, parseWholeNumber } from "../command.ts";
import { leaveSignals } from "../exit.ts";
import { USE_HINTS } from "../hints.ts";
import { standardError } from "../output/terminal.ts";
import type { RunningServer } from "../server.ts";
import { withTokens } from "../tokens.ts";

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: readonly string[];
  readonly corsOrigin?: readonly string[];
}

/** How much of the log is held for a slow reader, in bytes. What is more is left out. */
const HELD_BYTES = 16 * 1024 * 1024;

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .option(
        "--host <address>",
        "address to listen on; another one than of this machine needs TLS or a proxy [127.0.0.1]",
      )
      .option("--port <n>", "port to listen on; 0 for any that is free [8000]")
      .option("--tls-cert <file>", "path of the certificate, PEM; a new one is taken while the server runs")
      .option("--tls-key <file>", "path of the private key of the certificate, PEM")
      .option(
        "--behind-proxy <network>",
        "network of proxies, such as 10.0.0.0/8; nobody else is served; may be repeated",
        collect,
      )
      .option("--cors-origin <origin>", "origin whose pages may call the server; may be repeated", collect),
  examples: [
    "autokestra serve",
    "autokestra serve --host 0.0.0.0 --port 8443 --tls-cert server.crt --tls-key server.key",
  ],
  run: serve,
});

/** Serves secrets over HTTP until a signal ends it. */
async function serve(context: CommandContext, options: ServeOptions): Promise<void> {
  const { place } = context;
  if (place.defaults !== undefined && Object.keys(place.defaults.providers).length > 0) {
    const { checkProviders } = await import("../workflows.ts");
    await checkProviders(place.defaults);
  }
  const untilSignal = async (tokens: OpenedTokens, manager: SecretsManager) =>
    await untilEnded(await start(context, options, manager, tokens));
  await withTokens(context, untilSignal, { audit: true });
}

async function start(
  { place, terminal }: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  tokens: OpenedTokens,
): Promise<RunningServer> {
  const { createJwtVerifier, createUpkeep, rolesOf, startServer } = await import("../server.ts");
  const config = place.defaults?.server ?? {};
  const { store, keys, audit } = manager;
  const checks = [
    { part: "store", check: async () => void (await store.readHeader()) },
    { part: "key", check: async () => void (await keys.forEncrypt(0)) },
    { part: "audit", check: async () => await tokens.check() },
  ];
  // Before the port: a client that connects is served.
  for (const { check } of checks) await check();
  const log = config.log === false ? undefined : { write: writeLog };
  const onNotice = (text: string) => terminal.warn(`warning: ${text}`);
  const { backups, keys: keySettings } = config;
  const upkeep = await createUpkeep({
    manager,
    place: { ...place, audit: true },
    backups: backups && {
      folder: backups.to,
      everyMs: backups.every,
      recipients: backups.recipients,
      keep: backups.keep ?? 14,
    },
    rotateDataKeyEveryMs: keySettings?.rotateDataKeyEvery,
    // Without lines for requests, too.
    log: { write: writeLog },
  });
  const server = await startServer({
    ...config,
    host: options.host ?? config.host,
    port: options.port === undefined ? config.port : parseWholeNumber("--port", options.port),
    tlsFiles: tlsFilesOf(options.tlsCert ?? config.tlsCert, options.tlsKey ?? config.tlsKey),
    behindProxy: options.behindProxy ?? config.behindProxy,
    corsOrigins: options.corsOrigin ?? config.corsOrigin,
    roles: rolesOf(config.roles),
    jwt: config.jwt === undefined ? undefined : await createJwtVerifier(config.jwt),
    secretsFor: (context) => manager.as(context),
    tokens,
    audit,
    checks,
    figures: upkeep.figures,
    log,
    onNotice,
    unauthorizedHint: USE_HINTS.makeToken,
  });
  if (!(await tokens.isAnyUsable())) terminal.note(`note: there is no token yet. ${USE_HINTS.makeToken}`);
  terminal.warn(`autokestra is ready on ${server.address}`);
  upkeep.start();
  const close = async () => void (await Promise.all([server.close(), upkeep.stop()]));
  return { ...server, close };
}

function tlsFilesOf(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert, key };
  throw new AutokestraError("USAGE", "--tls-cert and --tls-key go together");
}

function writeLog(line: string): void {
  const output = standardError();
  if (output.unread < HELD_BYTES) output.write(line);
}

/** SIGHUP reads the certificate again; the first of the others lets requests end, the second one does not. */
async function untilEnded(server: RunningServer): Promise<void> {
  const reload = () => void server.reload();
  process.on("SIGHUP", reload);
  const ended = new Promise<void>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"]) process.once(name, () => resolve());
  });
  // After the others listen: a signal that comes at this moment would be lost without any listener.
  leaveSignals();
  await ended;
  for (const name of ["SIGTERM", "SIGINT"]) process.once(name, () => process.exit(1));
  await server.close();
  process.off("SIGHUP", reload);
}
