// @module-tag faults
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";
import { serve } from "./served.ts";

/** What docs/operate.md ships: its files, tried with the programs that they are for. `.ci/install-tools` installs these. */
const docs: string = fileURLToPath(new URL("../../../docs/", import.meta.url));
let box: Sandbox;
beforeAll(() => {
  box = createSandbox();
});
const ended: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ended.toReversed()) await end();
  box.remove();
});

const read = (file: string): string => readFileSync(join(docs, file), "utf8");

/** Without it, a test is skipped here, with its name; in CI it fails. */
function isMissing(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0 && process.env["CI"] !== "true";
}

/** Caddy makes files in the home folder whatever it is asked. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"], HOME: box.folder });

function output(program: string, args: readonly string[], options: { cwd?: string; input?: string } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...options,
    env: environment(),
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return { status, said: `${stdout}${stderr}` };
}

/** Starts a program, which is ended with the tests, and waits for what it says first. */
async function start(program: string, args: readonly string[], ready: RegExp, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, { cwd: box.folder, env: { ...environment(), ...env } });
  const closed = new Promise((resolve) => child.on("close", resolve));
  ended.push(async () => {
    child.kill("SIGTERM");
    await closed;
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += String(data)));
  await expect.poll(() => said).toMatch(ready);
  return said;
}

async function serveWith(config: string): Promise<string> {
  const path = join(box.folder, "autokestra.config.yaml");
  writeFileSync(path, config, { mode: 0o600 });
  const { address, stop } = await serve(box, ["--config", path], { VAULT_TOKEN: "t" });
  ended.push(async () => void (await stop()));
  return address;
}

const admin = async (name: string): Promise<string> =>
  (await box.ak(["tokens", "create", name, "--role", "admin"])).stdout.trim();

describe("metrics", () => {
  const RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
  const BACKUPS = `backups: { every: 24h, to: backups, recipients: [${RECIPIENT}] }`;

  /** The labels of each name that /metrics has. */
  async function readMetrics(): Promise<{ text: string; known: Map<string, Set<string>> }> {
    const vault = "{ type: vault, address: 'http://127.0.0.1:1', auth: { method: token, tokenEnv: VAULT_TOKEN } }";
    await box.ak(["secrets", "set", "A"], { input: "the value" });
    mkdirSync(join(box.folder, "workflows"));
    const server = `{ log: false, workflows: workflows, ${BACKUPS} }`;
    const address = await serveWith(`server: ${server}\nproviders: { vault: ${vault} }\n`);
    const headers = { authorization: `Bearer ${await admin("metrics")}` };
    for (const path of ["/health/ready", "/api/secrets"]) await fetch(address + path, { headers });
    const readText = async () => await (await fetch(`${address}/metrics`, { headers })).text();
    // The first backup is made after the start.
    await expect.poll(readText).toContain("\nautokestra_backup_last_success_timestamp_seconds ");
    const text = await readText();
    const known = new Map<string, Set<string>>();
    for (const [, name = "", labels = ""] of text.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? [-+0-9.eNaInf]+$/gm)) {
      const names = [...labels.matchAll(/([a-z_]+)="/g)].map(([, label = ""]) => label);
      known.set(name, new Set([...(known.get(name) ?? []), ...names]));
    }
    return { text, known };
  }

  /** These Prometheus adds. */
  const ADDED = ["instance", "job"];

  function* usesIn(text: string): Generator<readonly [name: string, labels: readonly string[]]> {
    for (const [, name = "", labels = ""] of text.matchAll(
      /\b((?:autokestra|nodejs|process)_[a-z0-9_]+)(\{[^}]*\})?/g,
    )) {
      yield [name, [...labels.matchAll(/([a-z_]+)(?:=|!)/g)].map(([, label = ""]) => label)];
    }
  }

  it("have every name and label that the alerts and the board use", async () => {
    const { text, known } = await readMetrics();
    const board: { panels: { targets: { expr: string }[] }[] } = JSON.parse(read("grafana.json"));
    const queries = board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join("\n");
    expect(queries).toContain("autokestra_secret_reads_total");
    const missing: string[] = [];
    for (const [name, labels] of usesIn(`${read("alerts.yml")}\n${queries}`)) {
      if (!known.has(name)) missing.push(name);
      const unknown = labels.filter((label) => !ADDED.includes(label) && known.get(name)?.has(label) !== true);
      missing.push(...unknown.map((label) => `${name}{${label}}`));
    }
    expect(missing).toEqual([]);
    // And the other way round: each of ours is described. A histogram has one name.
    const told = read("operate.md") + read("server.md");
    const ours = [...known.keys()].filter((name) => name.startsWith("autokestra_"));
    const names = ours.map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, "_seconds"));
    expect(names.filter((name) => !told.includes(`\`${name}\``))).toEqual([]);
    if (isMissing("promtool")) return;
    const { status, said } = output("promtool", ["check", "metrics"], { input: text });
    // Those of the Node.js client are not ours to name.
    expect([status, said.split("\n").filter((line) => line.startsWith("autokestra"))]).toEqual([
      expect.any(Number),
      [],
    ]);
  });

  it.skipIf(isMissing("promtool"))("make each alert when they should (promtool, of Debian's prometheus)", () => {
    expect(output("promtool", ["check", "rules", "alerts.yml"], { cwd: docs })).toEqual({
      status: 0,
      said: expect.stringContaining("rules found"),
    });
    expect(output("promtool", ["test", "rules", "alerts.test.yml"], { cwd: docs })).toEqual({
      status: 0,
      said: expect.stringContaining("SUCCESS"),
    });
    const names = [...read("alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
    const fired = [...read("alerts.test.yml").matchAll(/alertname: (\w+)\n\s+exp_alerts/g)].map(
      ([, name = ""]) => name,
    );
    expect(names.filter((name) => !fired.includes(name))).toEqual([]);
  });
});

describe("systemd", () => {
  const units = readdirSync(join(docs, "operate")).filter((file) => /\.(service|timer)$/.test(file));

  it.skipIf(isMissing("systemd-analyze"))("takes the units (systemd-analyze)", () => {
    const folder = join(box.folder, "units");
    mkdirSync(folder);
    // It wants the programs to be there.
    for (const unit of units) {
      const text = read(`operate/${unit}`).replaceAll("/usr/bin/autokestra", process.execPath);
      writeFileSync(join(folder, unit), text);
    }
    const paths = units.map((unit) => join(folder, unit));
    expect(output("systemd-analyze", ["verify", "--man=no", ...paths])).toEqual({ status: 0, said: "" });
    expect(units.length).toBe(5);
  });
});

/** What a client does through a proxy, which is on a port of this machine. */
async function tryProxy(port: number, certificate: string, name: string): Promise<void> {
  const token = await admin(name);
  const ask = async (method: string, path: string, body = "", headers: Record<string, string> = {}) =>
    await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent: false,
          ca: readFileSync(certificate),
          servername: "secrets.example",
          headers: {
            host: "secrets.example",
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
            ...headers,
          },
        },
        (response) => {
          let text = "";
          response.on("data", (data) => (text += String(data)));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  const secret = `BEHIND_${name.toUpperCase()}`;
  const made = await ask("POST", "/api/secrets", JSON.stringify({ name: secret, value: "through a proxy" }));
  expect(made.status).toBe(201);
  const { id }: { id: string } = JSON.parse(made.text);
  expect(JSON.parse((await ask("GET", `/api/secrets/${id}/decrypt`)).text)).toMatchObject({ value: "through a proxy" });
  const large = JSON.stringify({ name: secret, value: "x".repeat(1.5 * 1024 * 1024) });
  expect([413, 502]).toContain((await ask("POST", "/api/secrets", large)).status);
  // What a client says of itself counts for nothing.
  const forged = { authorization: "Bearer wrong", "x-forwarded-for": "203.0.113.7", forwarded: "for=203.0.113.7" };
  expect((await ask("GET", "/api/secrets", "", forged)).status).toBe(401);
  const refused = await box.ak(["audit", "list", "--action", "refused", "--json"]);
  expect(JSON.parse(refused.stdout).at(-1).actor).toEqual({ kind: "anonymous", id: null, address: "127.0.0.1" });
  // Caddy has an empty answer of its own.
  expect((await ask("GET", "/health/live", "", { host: "evil.example" })).text).not.toContain("ok");
  expect((await ask("GET", "/metrics")).text).toContain("autokestra_secret_reads_total");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as import("node:net").AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function makeCertificate(): { certificate: string; key: string } {
  const [certificate, key] = [join(box.folder, "proxy.crt"), join(box.folder, "proxy.key")];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=secrets.example", "-addext", "subjectAltName=DNS:secrets.example"];
  execFileSync("openssl", [...made, ...subject, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  return { certificate, key };
}

const PROXIED = "server: { log: false, behindProxy: [127.0.0.1/32], hosts: [secrets.example] }\n";

describe("proxies", () => {
  it.skipIf(isMissing("nginx"))("nginx serves with the configuration of the documentation", async () => {
    const upstream = new URL(await serveWith(PROXIED)).host;
    const port = await freePort();
    const { certificate, key } = makeCertificate();
    const site = read("operate/nginx.conf")
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
      .replace("listen [::]:443 ssl;", "")
      .replace("/etc/ssl/secrets.example.crt", certificate)
      .replace("/etc/ssl/private/secrets.example.key", key)
      .replaceAll("127.0.0.1:8000", upstream);
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (kind) => `${kind}_temp_path ${join(box.folder, `nginx-${kind}`)};`,
    );
    const main = join(box.folder, "nginx.conf");
    const pid = join(box.folder, "nginx.pid");
    writeFileSync(
      main,
      `daemon off; master_process off; pid ${pid}; error_log stderr notice; events {} http { ${paths.join(" ")} ${site} }`,
    );
    const tested = output("nginx", ["-t", "-q", "-p", box.folder, "-c", main]);
    expect(tested).toEqual({ status: 0, said: expect.not.stringMatching(/warn|emerg/) });
    await start("nginx", ["-p", box.folder, "-c", main], /start worker|using the|OS:/);
    await tryProxy(port, certificate, "nginx");
    // No value was written to a temporary file.
    expect(readdirSync(join(box.folder, "nginx-client_body"))).toEqual([]);
  });

  it.skipIf(isMissing("caddy"))("Caddy serves with the configuration of the documentation", async () => {
    const upstream = new URL(await serveWith(PROXIED)).host;
    const port = await freePort();
    const { certificate, key } = makeCertificate();
    const site = read("operate/Caddyfile")
      .replace("secrets.example {", `https://secrets.example:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate} ${key}`)
      .replaceAll("127.0.0.1:8000", upstream);
    const config = join(box.folder, "Caddyfile");
    writeFileSync(config, `{\n\tadmin off\n\tauto_https off\n}\n${site}`);
    const options = ["--config", config, "--adapter", "caddyfile"];
    expect(output("caddy", ["validate", ...options]).said).toContain("Valid configuration");
    await start("caddy", ["run", ...options], /serving initial configuration/);
    await tryProxy(port, certificate, "caddy");
  });
});
