import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { createSandbox } from "./run-cli.ts";
import { serve } from "./served.ts";

const box = createSandbox();
afterAll(() => box.remove());

describe("tokens", () => {
  it("are printed once, listed without themselves, and revoked", async () => {
    const own = createSandbox();
    onTestFinished(() => own.remove());
    const made = await own.ak([
      "tokens",
      "create",
      "ci",
      "--role",
      "revealer",
      "--prefix",
      "CI_",
      "--expires-in",
      "90d",
    ]);
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^ak_[0-9A-Za-z]{49}\n$/)]);
    expect(made.stderr).toContain("the token is shown only this once");
    const token = made.stdout.trim();
    const listed = await own.ak(["tokens", "list"]);
    expect(listed.stdout).toMatch(/^ci\trevealer\tCI_\t\t\S+\t\S+\t\tvalid\t[0-9a-f-]{36}\n$/);
    const json = await own.ak(["tokens", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { name: "ci", role: "revealer", prefixes: ["CI_"], isAuthentic: true },
    ]);
    expect(listed.stdout + json.stdout).not.toContain(token.slice(3));
    expect((await own.ak(["tokens", "create", "ci", "--role", "reader"])).code).toBe(1);
    expect((await own.ak(["tokens", "revoke", "ci"])).code).toBe(0);
    expect((await own.ak(["tokens", "revoke", "ci"])).code).toBe(3);
    expect((await own.ak(["tokens", "list"])).stderr).toContain("No tokens found");
  });

  it("are recorded where the audit log is on", async () => {
    const env = { AUTOKESTRA_AUDIT: "on" };
    await box.ak(["tokens", "create", "recorded", "--role", "reader"], { env });
    await box.ak(["tokens", "revoke", "recorded"], { env });
    const { stdout } = await box.ak(["audit", "list", "--json"], { env });
    const found = [...stdout.matchAll(/"action":"(tokens\.\w+)".*?"outcome":"(\w+)"/g)];
    expect(found.map(([, ...parts]) => parts.join(" "))).toEqual([
      "tokens.create intent",
      "tokens.create done",
      "tokens.revoke intent",
      "tokens.revoke done",
    ]);
  });

  it.each([["--role", "nobody"], ["--role", "reader", "--expires-in", "soon"], []])(
    "are refused with %s %s %s %s",
    async (...options) => {
      expect((await box.ak(["tokens", "create", "x", ...options.filter((one) => one !== undefined)])).code).toBe(2);
    },
  );
});

describe("serve", () => {
  it("says where it is and how to make a token, serves, and ends with what is in flight done", async () => {
    const own = createSandbox();
    onTestFinished(() => own.remove());
    const { address, stop } = await serve(own);
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const refused = await fetch(`${address}/api/secrets`);
    const { detail } = (await refused.json()) as { detail: string };
    expect([refused.status, detail]).toEqual([
      401,
      expect.stringContaining("autokestra tokens create NAME --role ROLE"),
    ]);
    const token = (await own.ak(["tokens", "create", "admin", "--role", "admin"])).stdout.trim();
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify({ name: "SERVED", value: "s3cret-value" });
    expect((await fetch(`${address}/api/secrets`, { method: "POST", headers, body })).status).toBe(201);
    expect((await own.ak(["secrets", "get", "SERVED"])).stdout).toBe("s3cret-value");
    expect((await fetch(`${address}/openapi.json`)).status).toBe(200);
    expect((await fetch(`${address}/docs`)).status).toBe(200);
    expect(await (await fetch(address)).text()).toContain("<title>autokestra</title>");
    expect((await fetch(`${address}/health/ready`)).status).toBe(200);
    // D11: what was acknowledged is there.
    const acknowledged: string[] = [];
    const writes = Array.from({ length: 60 }, async (_, index) => {
      const name = `LOAD_${index}`;
      const load = { method: "POST", headers, body: JSON.stringify({ name, value: "v" }) };
      const status = await fetch(`${address}/api/secrets`, load).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 201) acknowledged.push(name);
    });
    await expect.poll(() => acknowledged.length).toBeGreaterThan(0);
    const { code, stderr } = await stop();
    await Promise.all(writes);
    expect(code).toBe(0);
    const kept = JSON.parse((await own.ak(["secrets", "list", "--prefix", "LOAD_", "--json"])).stdout) as {
      name: string;
    }[];
    expect(acknowledged.filter((name) => kept.every((one) => one.name !== name))).toEqual([]);
    expect(stderr).toContain("there is no token yet");
    expect(stderr).toMatch(/"route":"\/api\/secrets","status":201/);
    expect(stderr).not.toMatch(/s3cret-value|SERVED|ak_/);
    expect((await own.ak(["audit", "verify"])).code).toBe(0);
  });

  it("takes what the configuration says, and options before that", async () => {
    const config = join(box.folder, "autokestra.config.yaml");
    writeFileSync(config, "server: { host: 127.0.0.1, log: false, roles: { deploy: ['secrets:read'] } }\n", {
      mode: 0o600,
    });
    const token = (await box.ak(["tokens", "create", "deploy", "--role", "deploy", "--config", config])).stdout.trim();
    const { address, stop } = await serve(box, ["--config", config, "--cors-origin", "http://localhost:3000"]);
    const headers = { authorization: `Bearer ${token}`, origin: "http://localhost:3000" };
    const answer = await fetch(`${address}/api/secrets`, { headers });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "http://localhost:3000"]);
    const { code, stderr } = await stop();
    expect([code, stderr.includes('"route"')]).toEqual([0, false]);
    writeFileSync(config, "server: { roles: { deploy: ['secrets:all'] } }\n", { mode: 0o600 });
    const wrong = await box.start(["serve", "--config", config]).ended;
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("There is no permission 'secrets:all'")]);
    rmSync(config);
  });

  it.each([
    [["--host", "0.0.0.0"], "does not listen on 0.0.0.0 without TLS"],
    [["--tls-cert", "x"], "--tls-cert and --tls-key go together"],
    [["--behind-proxy", "x"], "is not a CIDR"],
    [["--port", "x"], "--port takes a whole number"],
  ])("refuses %s", async (args, message) => {
    const { code, stderr } = await box.start(["serve", ...args]).ended;
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it("does not listen to the network while there is no token, and says how to make one", async () => {
    const empty = createSandbox();
    const { code, stderr } = await empty.start(["serve", "--host", "0.0.0.0", "--behind-proxy", "10.0.0.0/8"]).ended;
    empty.remove();
    expect([code, stderr]).toEqual([2, expect.stringContaining("tokens create NAME --role ROLE")]);
  });

  it("does not start with the wrong key", async () => {
    const { code } = await box.start(["serve"], { env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4) } }).ended;
    expect(code).toBe(4);
  });
});
