import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get as httpsGet } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, secretsApi, startServer } from "../src/index.ts";
import { createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;
let token: string;
const running: RunningServer[] = [];

beforeAll(async () => {
  place = await createServerPlace();
  token = await place.token("admin");
});
afterAll(async () => {
  for (const server of running) await server.close();
  await place.close();
});

async function start(options: Partial<Parameters<typeof startServer>[0]> = {}): Promise<RunningServer> {
  const { manager, tokens } = place;
  const server = await startServer({
    secretsFor: (context) => manager.as(context),
    tokens,
    audit: manager.audit,
    port: 0,
    ...options,
  });
  running.push(server);
  return server;
}

/** What is asked of an answer here. */
interface Answer {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly message: string;
  readonly code: string;
  readonly parts: readonly object[];
}

const read = async (response: Response) => (await response.json()) as Answer;

/** As people write it: a base URL and one header. */
async function plainClient(base: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const ask = async (method: string, path: string, body?: object) => {
    const response = await fetch(base + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    expect(response.ok).toBe(true);
    return response;
  };
  const made = await ask("POST", "/", { name: "PLAIN", value: "first", description: "of a plain client" });
  const { id } = await read(made);
  const all = (await (await ask("GET", "")).json()) as readonly Answer[];
  expect(all.map(({ name }) => name)).toContain("PLAIN");
  expect(await read(await ask("GET", `/${id}`))).toMatchObject({ name: "PLAIN", description: "of a plain client" });
  expect((await read(await ask("GET", `/${id}/decrypt`))).value).toBe("first");
  await ask("PUT", `/${id}`, { value: "second" });
  expect((await read(await ask("GET", `/${id}/decrypt`))).value).toBe("second");
  expect((await read(await ask("DELETE", `/${id}`))).message).toContain("is deleted");
}

const PYTHON_CLIENT = `
import sys, requests
base, token = sys.argv[1:]
s = requests.Session()
s.headers["Authorization"] = "Bearer " + token
s.trust_env = False
made = s.post(base + "/", json={"name": "PYTHON", "value": "first", "description": "d"})
assert made.status_code == 201, made.text
id = made.json()["id"]
assert "PYTHON" in [one["name"] for one in s.get(base + "/").json()]
assert s.get(f"{base}/{id}/").json()["description"] == "d"
assert s.get(f"{base}/{id}/decrypt").json()["value"] == "first"
assert s.put(f"{base}/{id}", json={"value": "second"}).status_code == 200
assert s.get(f"{base}/{id}/decrypt/").json()["value"] == "second"
assert s.delete(f"{base}/{id}").status_code == 200
assert s.get(f"{base}/{id}").status_code == 404
print("done")
`;

function hasRequests(): boolean {
  try {
    execFileSync("python3", ["-c", "import requests"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("a plain client", () => {
  it("works with fetch", async () => {
    const { address } = await start();
    await plainClient(`${address}/api/secrets`);
  });

  it.skipIf(!hasRequests())("works with Python's requests", async () => {
    const { address } = await start();
    const args = ["-c", PYTHON_CLIENT, `${address}/api/secrets`, token];
    expect((await promisify(execFile)("python3", args)).stdout).toBe("done\n");
  });

  it("works against a foreign server that has mounted the routes", async () => {
    const { manager, tokens } = place;
    const app = fastify();
    app.get("/", async () => "theirs");
    app.setErrorHandler(async () => "their error");
    app.post("/echo", async (request) => request.body);
    await app.register(secretsApi, {
      prefix: "/vault/secrets",
      secretsFor: (context) => manager.as(context),
      tokens,
      audit: manager.audit,
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    try {
      await plainClient(`${base}/vault/secrets`);
      const refused = await fetch(`${base}/vault/secrets/x`);
      expect([refused.status, (await read(refused)).code, refused.headers.get("cache-control")]).toEqual([
        401,
        "UNAUTHORIZED",
        "no-store",
      ]);
      const nowhere = await fetch(`${base}/vault/secrets/x/y/z`);
      expect([nowhere.status, (await read(nowhere)).code]).toEqual([401, "UNAUTHORIZED"]);
      const authorization = `Bearer ${token}`;
      const known = await fetch(`${base}/vault/secrets/x/y/z`, { headers: { authorization } });
      expect([known.status, (await read(known)).code]).toEqual([404, "NOT_FOUND"]);
      const method = await fetch(`${base}/vault/secrets`, { method: "DELETE", headers: { authorization } });
      expect([method.status, method.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
      // What is theirs is as it was.
      expect(await (await fetch(base)).text()).toBe("theirs");
      const echo = { method: "POST", headers: { "content-type": "text/plain" }, body: "text" };
      expect(await (await fetch(`${base}/echo`, echo)).text()).toBe("text");
    } finally {
      await app.close();
    }
  });
});

describe("W14: where it listens", () => {
  it("on this machine alone, unless it is told", async () => {
    const { address } = await start();
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it("and keeps few answers for a connection that sends many requests at once", async () => {
    const routes: string[] = [];
    const { address } = await start({ log: { write: (line) => void routes.push(JSON.parse(line).route) } });
    const { port } = new URL(address);
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => undefined).resume();
    socket.write("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000));
    await new Promise((resolve) => socket.once("close", resolve));
    expect((await fetch(`${address}/health/live`)).status).toBe(200);
    await expect.poll(() => routes, { timeout: 30_000 }).toContain("/health/live");
    expect(routes.length).toBeLessThan(50);
  });

  it("elsewhere only with TLS or behind a proxy, and with a token", async () => {
    await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const none = { find: async () => null, namesOf: async () => new Map(), isAnyUsable: async () => false };
    const proxied = { host: "0.0.0.0", behindProxy: ["127.0.0.1"] };
    await expect(start({ ...proxied, tokens: none })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(start({ port: 1, host: "192.0.2.1", behindProxy: ["10.0.0.0/8"] })).rejects.toMatchObject({
      message: expect.stringContaining("cannot listen"),
      hint: expect.any(String),
    });
  });

  it("behind a proxy only that is served, and its word on addresses counts", async () => {
    const other = await start({ behindProxy: ["10.0.0.0/8"] });
    expect((await fetch(`${other.address}/health/live`)).status).toBe(421);
    const { address } = await start({ behindProxy: ["127.0.0.0/8"], refusedPerMinute: 1, hosts: ["secrets.example"] });
    const from = async (client: string) => {
      const headers = { "x-forwarded-for": client, "x-forwarded-host": "secrets.example" };
      return (await fetch(`${address}/api/secrets`, { headers })).status;
    };
    expect([await from("1.1.1.1"), await from("1.1.1.1"), await from("2.2.2.2")]).toEqual([401, 429, 401]);
    const headers = {
      authorization: `Bearer ${token}`,
      origin: "https://secrets.example",
      "x-forwarded-host": "secrets.example",
    };
    expect((await fetch(`${address}/api/secrets/x`, { method: "DELETE", headers })).status).toBe(404);
  });
});

describe("W6: browsers", () => {
  it("pages of other origins get nothing, unless they are named", async () => {
    const origin = "http://localhost:3000";
    const preflight = { method: "OPTIONS", headers: { origin, "access-control-request-method": "PUT" } };
    const closed = (await start()).address;
    const refused = await fetch(`${closed}/api/secrets`, preflight);
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, null]);
    const open = (await start({ corsOrigins: [origin] })).address;
    const allowed = await fetch(`${open}/api/secrets`, preflight);
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
    const evil = await fetch(`${open}/api/secrets`, {
      ...preflight,
      headers: { ...preflight.headers, origin: "null" },
    });
    expect([evil.status, evil.headers.get("access-control-allow-origin")]).toEqual([401, null]);
    const headers = {
      authorization: `Bearer ${token}`,
      origin,
      "content-type": "application/json",
      "sec-fetch-site": "cross-site",
    };
    const body = JSON.stringify({ name: "FROM_A_PAGE", value: "v" });
    expect((await fetch(`${open}/api/secrets`, { method: "POST", headers, body })).status).toBe(201);
    expect((await fetch(`${closed}/api/secrets`, { method: "POST", headers, body })).status).toBe(403);
  });

  it("W16: every answer has the headers that keep pages apart", async () => {
    const { address } = await start();
    for (const path of ["/docs", "/api/secrets", "/none", "/health/live", "/docs/style.css", "/api/secrets/%"]) {
      const { headers } = await fetch(address + path);
      expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'.*frame-ancestors 'none'$/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("access-control-allow-origin")).toBe(null);
    }
    const page = await (await fetch(`${address}/docs/`)).text();
    // What a pattern in a description says is text.
    expect(page).not.toMatch(/<script|style=|\son[a-z]+=|="https?:/);
    expect(page).toContain("GET /api/secrets/{id}/decrypt");
  });
});

describe("operations", () => {
  it("tell who has a token which part does not work", async () => {
    const checks = [
      { part: "store", check: async () => undefined },
      { part: "key", check: async () => await Promise.reject(new Error("secret detail")) },
    ];
    const { address } = await start({ checks });
    expect((await fetch(`${address}/health/live/`)).status).toBe(200);
    const nobody = await fetch(`${address}/health/ready`);
    expect([nobody.status, await nobody.json()]).toEqual([503, { status: "failed" }]);
    const wrong = await fetch(`${address}/health/ready`, { headers: { authorization: "Bearer x" } });
    expect(await wrong.json()).toEqual({ status: "failed" });
    const known = await fetch(`${address}/health/ready`, { headers: { authorization: `Bearer ${token}` } });
    expect((await read(known)).parts).toEqual([
      { part: "store", status: "ok" },
      { part: "key", status: "failed" },
    ]);
  });

  it("count requests by route, and reads of values by outcome", async () => {
    const { address } = await start();
    const headers = { authorization: `Bearer ${token}` };
    await fetch(`${address}/api/secrets/00000000-0000-4000-8000-000000000000/decrypt`, { headers });
    await fetch(`${address}/none/at/all`, { headers });
    const text = await (await fetch(`${address}/metrics`, { headers })).text();
    expect(text).toContain('autokestra_secret_reads_total{outcome="failed"} 1');
    expect(text).toContain(
      'autokestra_http_request_seconds_count{method="GET",route="/api/secrets/:id/decrypt",status="404"} 1',
    );
    expect(text).toContain('route="none",status="404"');
    expect(text).toMatch(/autokestra_audit_records_total \d+/);
    expect(text).toContain("nodejs_eventloop_lag_seconds");
  });
});

describe("TLS", () => {
  function makeCertificate(folder: string, name: string): { cert: string; key: string } {
    const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", [...args, "-subj", `/CN=${name}`, "-keyout", files.key, "-out", files.cert], {
      stdio: "ignore",
    });
    return files;
  }

  function replace(from: string, to: string): void {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }

  function link(from: string, to: string): void {
    rmSync(to);
    symlinkSync(from, to);
  }

  async function subjectAt(address: string): Promise<string> {
    return await new Promise((resolve, reject) => {
      const request = httpsGet(`${address}/health/live`, { rejectUnauthorized: false, agent: false }, (response) => {
        const { subject } = (response.socket as import("node:tls").TLSSocket).getPeerCertificate();
        response.resume();
        resolve(String(subject.CN));
      });
      request.on("error", reject);
    });
  }

  it("serves with a certificate, and takes a new one", async () => {
    const folder = join(place.folder, "tls");
    mkdirSync(folder);
    const first = makeCertificate(folder, "first.example");
    const second = makeCertificate(folder, "second.example");
    const files = { cert: join(folder, "server.crt"), key: join(folder, "server.key") };
    copyFileSync(first.cert, files.cert);
    copyFileSync(first.key, files.key);
    const notices: string[] = [];
    const server = await start({ tlsFiles: files, onNotice: (text) => notices.push(text) });
    expect(await subjectAt(server.address)).toBe("first.example");
    writeFileSync(files.cert, "no certificate");
    await expect(server.reload()).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect.poll(() => notices).toContain("the certificate cannot be used; the previous one stays in use");
    expect(await subjectAt(server.address)).toBe("first.example");
    // The certificate of one, the key of the other.
    copyFileSync(second.cert, files.cert);
    await expect(server.reload()).rejects.toThrow("cannot be used");
    await server.reload({ tlsFiles: second });
    expect(await subjectAt(server.address)).toBe("second.example");
    await server.reload({ tlsFiles: first });
    expect(await subjectAt(server.address)).toBe("first.example");
    copyFileSync(first.cert, files.cert);
    await server.reload({ tlsFiles: files });
    // Watched in each way that replaces a certificate, more than once.
    const ways: readonly [string, (from: string, to: string) => void][] = [
      ["second.example", replace],
      ["first.example", replace],
      ["second.example", copyFileSync],
      ["first.example", link],
      ["second.example", link],
    ];
    for (const [name, way] of ways) {
      const pair = name === "first.example" ? first : second;
      way(pair.key, files.key);
      way(pair.cert, files.cert);
      await expect.poll(async () => await subjectAt(server.address)).toBe(name);
    }
    await expect(start({ tlsFiles: { cert: "/none", key: "/none" } })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});

it("D11: lets requests in flight end, and takes no others", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isHeld = false;
  const { manager } = place;
  const server = await start({
    secretsFor(context) {
      const secrets = manager.as(context);
      return {
        ...secrets,
        async create(input) {
          isHeld = true;
          await held;
          return await secrets.create(input);
        },
      };
    },
  });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ name: "IN_FLIGHT", value: "v" });
  const inFlight = fetch(`${server.address}/api/secrets`, { method: "POST", headers, body });
  await expect.poll(() => isHeld).toBe(true);
  const closed = server.close();
  const ask = async () =>
    await fetch(`${server.address}/health/live`).then(
      () => "answered",
      () => "refused",
    );
  await expect.poll(ask).toBe("refused");
  release();
  expect((await inFlight).status).toBe(201);
  await closed;
  expect(await manager.secrets.find("IN_FLIGHT")).not.toBe(null);
});
