import { execFileSync } from "node:child_process";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { selfSigned } from "@autokestra/secrets-providers/testing";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { requestAction } from "./actions.ts";
import { listen, startServer } from "./test-server.ts";

interface Pem {
  readonly cert: string;
  readonly key: string;
}

function certify(names?: string, days?: number): Pem {
  const { cert, key } = selfSigned(names, days);
  return { cert: cert.toString(), key: key.toString() };
}

let server: Pem;
let client: Pem;
beforeAll(() => {
  server = certify();
  client = certify();
});

/** A server that demands a client certificate, and says whose it got. */
async function startTlsServer(options: { location?: string; pem?: Pem; isOptional?: boolean } = {}) {
  const { location, pem = server, isOptional = false } = options;
  const shown: (string | null)[] = [];
  const https = createServer(
    { ...pem, requestCert: true, rejectUnauthorized: !isOptional, ca: [client.cert] },
    ({ socket }, response) => {
      const peer = (socket as TLSSocket).getPeerCertificate();
      shown.push(peer.fingerprint256 ?? null);
      response.writeHead(location === undefined ? 200 : 307, location === undefined ? {} : { location }).end("in");
    },
  );
  const { origin } = await listen(https);
  return { origin: origin.replace("http:", "https:"), shown };
}

async function request(input: object) {
  return (await runAction(requestAction, { response: "text", ...input })).output;
}

describe("client certificates", () => {
  it("are shown to the server that demands one", async () => {
    const { origin } = await startTlsServer();
    expect(await request({ url: origin, tls: { ...client, ca: server.cert } })).toMatchObject({ body: "in" });
    await expect(request({ url: origin, tls: { ca: server.cert } })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
      message: expect.stringMatching(/the server does not accept our certificate, or wants one|connection closed/),
    });
  });

  it("can have a key with a passphrase", async () => {
    const input = { input: client.key };
    const key = execFileSync("openssl", ["pkcs8", "-topk8", "-passout", "pass:opensesame"], input).toString();
    const { origin } = await startTlsServer();
    const tls = { cert: client.cert, key, passphrase: "opensesame", ca: server.cert };
    expect((await request({ url: origin, tls })).status).toBe(200);
    await expect(request({ url: origin, tls: { ...tls, passphrase: "wr0ng-passphrase" } })).rejects.toThrow(
      /^Invalid input: tls: expected certificates and a key in PEM that belong together/,
    );
  });

  it("stay with their origin, and do not come back", async () => {
    const tls = { ...client, ca: server.cert };
    vi.stubEnv("NODE_EXTRA_CA_CERTS", "");
    onTestFinished(() => void vi.unstubAllEnvs());
    const other = await startServer((response) => response.writeHead(307, { location: `${second.origin}/back` }).end());
    const second = await startTlsServer({ isOptional: true });
    const first = await startTlsServer({ isOptional: true, location: other.origin });
    // Without the ca of the workflow, the certificate of the way back is not trusted.
    await expect(request({ url: first.origin, tls, followRedirects: "always" })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
      message: expect.stringContaining("the certificate of the server is not trusted"),
    });
    expect(other.received).toHaveLength(1);
    expect(first.shown).toEqual([expect.stringMatching(/^[0-9A-F:]{95}$/)]);
    expect(second.shown).toEqual([]);
  });

  it.each([
    ["a certificate without its key", () => ({ cert: client.cert })],
    ["a key without its certificate", () => ({ key: client.key })],
    ["a key of another certificate", () => ({ cert: client.cert, key: server.key })],
    ["a key that is none", () => ({ cert: client.cert, key: "canary-4711" })],
    ["a certificate that is none", () => ({ cert: "canary-4711", key: client.key })],
    ["trusted certificates that are none", () => ({ ca: "canary-4711" })],
  ])("refuse %s without repeating it", async (_, tls) => {
    const run = request({ url: "https://127.0.0.1:1", tls: tls() });
    await expect(run).rejects.toThrow(/^Invalid input: tls/);
    await expect(run).rejects.not.toThrow(/canary|-----BEGIN (EC )?PRIVATE/);
  });

  it("need an https URL", async () => {
    await expect(request({ url: "http://127.0.0.1:1", tls: client })).rejects.toThrow(
      "Invalid input: tls: expected an https: URL beside it",
    );
  });
});

describe("certificates of servers", () => {
  it.each([
    ["of an unknown authority", undefined, undefined, undefined],
    ["of another name", "DNS:vault.example", undefined, true],
    ["that has ended", "IP:127.0.0.1", -1, true],
  ])("are refused: one %s", async (_, names, days, isTrusted) => {
    const pem = certify(names, days);
    const { origin } = await startTlsServer({ pem, isOptional: true });
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(request({ url: origin, ...(isTrusted && { tls: { ca: pem.cert } }) })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
      message: expect.stringContaining("the certificate of the server is not trusted ("),
    });
  });
});
