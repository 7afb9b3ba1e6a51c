import { get as httpGet } from "node:http";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { type RunningServer, type StartOptions, startServer } from "../src/index.ts";
import { createReadiness } from "../src/readiness.ts";
import { createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;
let token: string;
const running: RunningServer[] = [];

beforeAll(async () => {
  place = await createServerPlace();
  token = await place.token("admin");
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});
afterAll(async () => await place.close());

async function start(options: Partial<StartOptions> = {}): Promise<RunningServer> {
  const { manager, tokens } = place;
  const secretsFor: StartOptions["secretsFor"] = (context) => manager.as(context);
  const server = await startServer({ secretsFor, tokens, audit: manager.audit, port: 0, ...options });
  running.push(server);
  return server;
}

async function ask({ address }: RunningServer, path: string, headers: Record<string, string> = {}) {
  return await fetch(address + path, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

it("answers by other options from now on, on connections that are open, too", async () => {
  const lines: string[] = [];
  const server = await start({ roles: {} });
  const origin = "https://app.example";
  expect((await ask(server, "/api/secrets")).status).toBe(403);
  await server.reload({ roles: undefined, corsOrigins: [origin], log: { write: (line) => void lines.push(line) } });
  const answer = await ask(server, "/api/secrets", { origin });
  expect([answer.status, answer.headers.get("access-control-allow-origin"), lines.length]).toEqual([200, origin, 1]);
  await server.reload({ hosts: ["secrets.example"], corsOrigins: [] });
  expect((await ask(server, "/api/secrets", { origin })).headers.get("access-control-allow-origin")).toBe(null);
  expect((await server.app.inject({ url: "/health/live", headers: { host: "secrets.example" } })).statusCode).toBe(200);
});

it("keeps the options before where others cannot be used", async () => {
  const server = await start();
  for (const changes of [
    { corsOrigins: ["*"] },
    { behindProxy: ["x"] },
    { tlsFiles: undefined, corsOrigins: ["none"] },
  ]) {
    await expect(server.reload(changes)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  }
  expect((await ask(server, "/api/secrets", { origin: "*" })).status).toBe(200);
  const proxied = await start({ host: "0.0.0.0", behindProxy: ["127.0.0.0/8"], hosts: ["127.0.0.1"] });
  await expect(proxied.reload({ behindProxy: [] })).rejects.toThrow("without TLS");
});

it("keeps counting", async () => {
  const server = await start();
  await ask(server, "/none");
  await server.reload();
  await ask(server, "/none");
  expect(await (await ask(server, "/metrics")).text()).toContain('route="none",status="404"} 2');
});

it("serves every address of localhost by the new options", async () => {
  const server = await start({ host: "localhost" });
  await server.reload({ hosts: ["other.example"] });
  const { port } = new URL(server.address);
  const addresses = ["127.0.0.1", "::1"];
  const statuses = addresses.map(
    async (host) =>
      await new Promise((resolve) => {
        const headers = { host: "other.example" };
        httpGet({ host, port, path: "/health/live", headers, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on("error", resolve);
      }),
  );
  // A machine without IPv6 refuses the connection.
  for (const status of await Promise.all(statuses)) {
    if (!(status instanceof Error)) expect(status).toBe(200);
  }
});

it("lets requests in flight end by the options before, and ends with them", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isAsked: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const { manager } = place;
  const secretsFor: StartOptions["secretsFor"] = (context) => ({
    ...manager.as(context),
    async list(...filter) {
      isAsked();
      await held;
      return await manager.secrets.list(...filter);
    },
  });
  const server = await start();
  await server.reload({ secretsFor });
  const inFlight = ask(server, "/api/secrets");
  await asked;
  await server.reload({ secretsFor: (context) => manager.as(context) });
  expect((await ask(server, "/api/secrets")).status).toBe(200);
  const closed = server.close();
  release();
  expect((await inFlight).status).toBe(200);
  await closed;
  await expect(ask(server, "/health/live")).rejects.toThrow();
});

it("looks at its parts once for all who ask, and again after a while", async () => {
  vi.useFakeTimers();
  try {
    let calls = 0;
    const told: number[] = [];
    const check = async () => {
      calls += 1;
    };
    const broken = async () => await Promise.reject(new Error("down"));
    const hanging = async () => await new Promise<never>(() => undefined);
    const checks = [
      { part: "store", check },
      { part: "provider:vault", check: broken },
      { part: "provider:slow", check: hanging },
    ];
    const readiness = createReadiness(checks, (parts) => void told.push(parts.length));
    const [first, second] = [readiness(), readiness()];
    await vi.advanceTimersByTimeAsync(5000);
    expect(await first).toEqual([
      { part: "store", status: "ok" },
      { part: "provider:vault", status: "failed" },
      { part: "provider:slow", status: "failed" },
    ]);
    expect([await second, calls, told]).toEqual([await first, 1, [3]]);
    await readiness();
    expect(calls).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    const third = readiness();
    await vi.advanceTimersByTimeAsync(5000);
    await third;
    expect(calls).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

it("counts calls to providers, and failures of its own by code", async () => {
  const { createMetrics } = await import("../src/index.ts");
  const metrics = createMetrics(null);
  const { manager } = place;
  const secretsFor: StartOptions["secretsFor"] = (context) => ({
    ...manager.as(context),
    list: async () => await Promise.reject(new Error("defect")),
  });
  const server = await start({
    metrics,
    secretsFor,
    checks: [{ part: "provider:vault", check: async () => await Promise.reject(new Error("down")) }],
  });
  metrics.countProviderCall({ provider: "vault", call: "read", status: "200", milliseconds: 12 });
  metrics.countProviderCall({ provider: "vault", call: "read", status: "timeout", milliseconds: 5000 });
  expect((await ask(server, "/api/secrets")).status).toBe(500);
  expect((await ask(server, "/health/ready")).status).toBe(503);
  const text = await (await ask(server, "/metrics")).text();
  expect(text).toContain('autokestra_provider_requests_total{provider="vault",call="read",status="timeout"} 1');
  expect(text).toContain('autokestra_provider_request_seconds_count{provider="vault",call="read"} 2');
  expect(text).toContain('autokestra_failures_total{code="INTERNAL"} 1');
  expect(text).toContain('autokestra_failures_total{code="KEY_WRONG"} 0');
  expect(text).toContain('autokestra_ready{part="provider:vault"} 0');
});
