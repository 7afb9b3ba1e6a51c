import { type ChildProcess, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { get as httpsGet } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox } from "./run-cli.ts";

const box = createSandbox();
const path = join(box.folder, "autokestra.config.yaml");
let token = "";
let vault: Server;
/** How the provider answers now. */
let isVaultDown = false;
let asked = 0;
const started: ChildProcess[] = [];

beforeAll(async () => {
  token = (await box.ak(["tokens", "create", "admin", "--role", "admin"])).stdout.trim();
  vault = createServer((_, response) => {
    asked++;
    const status = isVaultDown ? 503 : 200;
    response
      .writeHead(status, { "content-type": "application/json" })
      .end(JSON.stringify({ initialized: true, sealed: false, data: { display_name: "token", expire_time: null } }));
  });
  await new Promise<void>((resolve) => vault.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  // Those of tests that have failed.
  for (const child of started) child.kill("SIGKILL");
  vault.close();
  box.remove();
});

function configure(text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** A running command, and what it has said. */
async function serve(args: readonly string[] = []) {
  const { child, ended } = box.start(["serve", "--config", path, ...args], { env: { VAULT_TOKEN: "t" } });
  started.push(child);
  let said = "";
  child.stderr?.on("data", (data) => {
    said += String(data);
  });
  const says = async (text: string | RegExp) => await expect.poll(() => said).toMatch(text);
  await says(/autokestra is ready on .*\n/);
  const [, address = ""] = /ready on (\S+)/.exec(said) ?? [];
  const headers = { authorization: `Bearer ${token}` };
  return {
    says,
    said: () => said,
    ask: async (url: string, more = {}) => await fetch(address + url, { headers: { ...headers, ...more } }),
    address,
    reload: async () => {
      said = "";
      child.kill("SIGHUP");
      await says(/(?:has reloaded its configuration|was not reloaded.*)\n/);
      return said;
    },
    end: async () => {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

describe("SIGHUP", () => {
  it("takes the new configuration, keeps the old one where it is broken, and says what needs a restart", async () => {
    configure("server: { port: 0, log: false }\n");
    const { reload, ask, end } = await serve();
    const origin = "https://app.example";
    expect((await ask("/api/secrets", { origin })).headers.get("access-control-allow-origin")).toBe(null);
    configure(`server: { port: 0, log: false, corsOrigin: ["${origin}"] }\n`);
    expect(await reload()).toBe("autokestra has reloaded its configuration\n");
    const allowed = async () => (await ask("/api/secrets", { origin })).headers.get("access-control-allow-origin");
    expect(await allowed()).toBe(origin);

    for (const [text, problem] of [
      ["server: { prot: 0 }\n", "'prot'"],
      ["server: { corsOrigin: ['*'] }\n", "is not one such as"],
      ["server: { roles: { all: ['secrets:all'] } }\n", "There is no permission 'secrets:all'"],
      ["server: { jwt: { issuer: i, audience: a, jwksFile: none.json } }\n", "public keys of signed tokens"],
      ["providers: { v: { type: vault, adress: x } }\n", "'adress'"],
      ["providers: [\n", "error"],
    ] as const) {
      configure(text);
      const said = await reload();
      expect(said).toContain(problem);
      expect(said).toContain("warning: the configuration was not reloaded: the previous one stays in use");
      expect(await allowed()).toBe(origin);
    }

    configure(`
server: { port: 1, host: 127.0.0.2, tlsCert: a.crt, tlsKey: a.key }
storage: { path: elsewhere }
keyFile: other.key
audit: { keepDays: 3 }
maxVersions: 3
`);
    expect(await reload()).toContain(
      "warning: restart the server to apply the changes in audit, keyFile, maxVersions, server.host, server.port, server.tlsCert, storage.path\n",
    );
    expect(await allowed()).toBe(null);
    expect((await end()).code).toBe(0);
  });

  it("takes new certificates and public keys of signed tokens, and lets options count before the configuration", async () => {
    const make = (name: string) =>
      execFileSync(
        "openssl",
        `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.crt`.split(
          " ",
        ),
        { cwd: box.folder, stdio: "ignore" },
      );
    make("first");
    make("second");
    const config = (name: string) => `server: { port: 1, log: false, tlsCert: ${name}.crt, tlsKey: ${name}.key }\n`;
    configure(config("first"));
    const { reload, address, end } = await serve(["--port", "0"]);
    const subject = async () =>
      await new Promise((resolve, reject) => {
        const request = httpsGet(`${address}/health/live`, { rejectUnauthorized: false, agent: false }, (response) => {
          response.resume();
          resolve((response.socket as import("node:tls").TLSSocket).getPeerCertificate().subject.CN);
        });
        request.on("error", reject);
      });
    expect(await subject()).toBe("first");
    configure(config("second"));
    expect(await reload()).toBe("autokestra has reloaded its configuration\n");
    expect(await subject()).toBe("second");
    configure(config("none"));
    expect(await reload()).toContain("The certificate and its private key cannot be used");
    expect(await subject()).toBe("second");
    expect((await end()).code).toBe(0);
  });
});

describe("providers", () => {
  it("keep the server from nothing, are parts of its readiness, and are counted", async () => {
    const { port } = vault.address() as AddressInfo;
    const provider = `{ type: vault, address: "http://127.0.0.1:${port}", auth: { method: token, tokenEnv: VAULT_TOKEN } }`;
    configure(`server: { port: 0, log: false }\nproviders: { vault: ${provider} }\n`);
    isVaultDown = true;
    const { ask, reload, end } = await serve();
    expect([(await ask("/api/secrets")).status, asked]).toEqual([200, 0]);
    const ready = await Promise.all(Array.from({ length: 20 }, async () => await ask("/health/ready")));
    expect(new Set(ready.map(({ status }) => status))).toEqual(new Set([503]));
    expect(await ready[0]?.json()).toEqual({
      status: "failed",
      parts: [
        { part: "store", status: "ok" },
        { part: "key", status: "ok" },
        { part: "audit", status: "ok" },
        { part: "provider:vault", status: "failed" },
      ],
    });
    // Three attempts of one look.
    expect(asked).toBe(3);
    const metrics = await (await ask("/metrics")).text();
    expect(metrics).toContain('autokestra_provider_requests_total{provider="vault",call="check",status="503"} 3');
    expect(metrics).toContain('autokestra_ready{part="provider:vault"} 0');
    isVaultDown = false;
    await reload();
    expect((await ask("/health/ready")).status).toBe(200);
    configure("server: { port: 0, log: false }\n");
    await reload();
    expect(await (await ask("/health/ready")).text()).not.toContain("vault");
    expect(await (await ask("/metrics")).text()).not.toContain('autokestra_ready{part="provider:vault"}');
    expect((await end()).code).toBe(0);
  });
});
