import type { OpenedTokens, SecretsManager } from "@autokestra/secrets";
import type { ReadinessCheck, UpkeepOptions } from "@autokestra/server";
import { type CommandContext, type CommandDefinition, collect, defineCommand, parseWholeNumber } from "../command.ts";
import { leaveSignals } from "../exit.ts";
import { USE_HINTS } from "../hints.ts";
import { standardError } from "../output/terminal.ts";
import { reload } from "../reload.ts";
import { openServedRuns } from "../served-runs.ts";
import { createSettings, type ServeOptions } from "../server-settings.ts";
import { withTokens } from "../tokens.ts";

/** How much of the log is held for a slow reader, in bytes. What is more is left out. */
const HELD_BYTES = 16 * 1024 * 1024;

/** How long runs get to end at a shutdown. */
const DRAIN_SECONDS = 5;

/** How long a line of the log waits for others. */
const LOG_MS = 50;

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .option("--host <address>", "address to listen on; a network address needs TLS or a proxy [127.0.0.1]")
      .option("--port <n>", "port to listen on; 0 for any free port [8000]")
      .option("--tls-cert <file>", "path of the certificate, PEM; read again when it changes")
      .option("--tls-key <file>", "path of the private key of the certificate, PEM")
      .option(
        "--behind-proxy <network>",
        "network of proxies, such as 10.0.0.0/8; others are refused; may be repeated",
        collect,
      )
      .option("--workflows <folder>", "folder of the workflows that the server runs [none]")
      .option("--cors-origin <origin>", "origin whose pages may call the server; may be repeated", collect),
  examples: [
    "autokestra serve --workflows workflows",
    "autokestra serve --host 0.0.0.0 --port 8443 --tls-cert server.crt --tls-key server.key",
  ],
  run: serve,
});

/** Serves secrets over HTTP until a signal ends it. */
async function serve(context: CommandContext, options: ServeOptions): Promise<void> {
  const untilSignal = async (tokens: OpenedTokens, manager: SecretsManager) =>
    await untilEnded(await start(context, options, manager, tokens));
  await withTokens(context, untilSignal, { audit: true });
}

async function start(
  context: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  tokens: OpenedTokens,
): Promise<ServedSecrets> {
  const { place, terminal } = context;
  const { createMetrics, createUpkeep, startServer } = await import("../server.ts");
  const { audit } = manager;
  const checks = checksOf(manager, tokens);
  // Before the port: a client that connects is served.
  for (const { check } of checks) await check();
  const log = createLog();
  const served = await openServedRuns(context, options, manager, () => metrics);
  const upkeep = await createUpkeep({
    manager,
    place: { ...place, audit: true },
    ...upkeepOf(place),
    history: served?.history,
    log,
  });
  const metrics = createMetrics(audit && (() => audit.state()), [...upkeep.figures, ...(served?.figures ?? [])]);
  const settings = createSettings({
    options,
    place,
    checks: [...checks, ...(served?.checks ?? [])],
    manager,
    log,
    onCall: (call) => metrics.countProviderCall(call),
  });
  const { host, port, drainSeconds = DRAIN_SECONDS } = place.defaults?.server ?? {};
  const server = await startServer({
    ...(await settings.read(place.defaults)),
    host: options.host ?? host,
    port: parseWholeNumber("--port", options.port) ?? port,
    secretsFor: (caller) => manager.as(caller),
    runs: served?.routes,
    tokens,
    audit,
    metrics,
    onNotice: (text) => terminal.warn(`warning: ${text}`),
    unauthorizedHint: USE_HINTS.makeToken,
  });
  await settings.accept();
  // Not before it listens: a start that fails leaves runs where they are.
  await served?.start();
  if (!(await tokens.isAnyUsable())) terminal.note(`note: there is no token yet. ${USE_HINTS.makeToken}`);
  terminal.warn(`autokestra is ready on ${server.address}`);
  upkeep.start();
  return {
    reload: async () => await reload(server, settings, served, context),
    async close() {
      // Clients can still ask how their runs end.
      await served?.drain(drainSeconds * 1000);
      await Promise.all([server.close(), upkeep.stop()]);
      await served?.close();
      await settings.close();
    },
  };
}

/** What every server needs. */
function checksOf({ store, keys }: SecretsManager, tokens: OpenedTokens): readonly ReadinessCheck[] {
  return [
    { part: "store", check: async () => void (await store.readHeader()) },
    { part: "key", check: async () => void (await keys.forEncrypt(0)) },
    { part: "audit", check: async () => await tokens.check() },
  ];
}

/** Backups and new data keys, as the configuration has them. */
function upkeepOf({ defaults }: CommandContext["place"]): Pick<UpkeepOptions, "backups" | "rotateDataKeyEveryMs"> {
  const { backups, keys } = defaults?.server ?? {};
  return {
    backups: backups && {
      folder: backups.to,
      everyMs: backups.every,
      recipients: backups.recipients,
      keep: backups.keep ?? 14,
    },
    rotateDataKeyEveryMs: keys?.rotateDataKeyEvery,
  };
}

/** What runs until a signal comes. */
interface ServedSecrets {
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Lines are written together: one by one, each would take a tenth of its request. What is left is written at the end. */
function createLog(): { readonly write: (line: string) => void } {
  let lines = "";

  function flush(): void {
    const output = standardError();
    if (output.unread < HELD_BYTES) output.write(lines);
    lines = "";
  }

  process.on("exit", flush);
  return {
    write(line) {
      if (lines === "") setTimeout(flush, LOG_MS);
      lines += line;
    },
  };
}

/** SIGHUP reads the configuration again; the first of the others lets requests end, the second one does not. */
async function untilEnded(served: ServedSecrets): Promise<void> {
  // One after the other.
  let reloading = Promise.resolve();
  const onReload = () => {
    reloading = reloading.then(async () => await served.reload());
  };
  process.on("SIGHUP", onReload);
  const ended = new Promise<void>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"]) process.once(name, () => resolve());
  });
  // After the others listen: a signal that comes at this moment would be lost without any listener.
  leaveSignals();
  await ended;
  for (const name of ["SIGTERM", "SIGINT"]) process.once(name, () => process.exit(1));
  await reloading;
  await served.close();
  process.off("SIGHUP", onReload);
}
