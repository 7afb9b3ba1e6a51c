import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { AuthenticationV1Api, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { createProviderSource, openProvider } from "../src/index.ts";
import { createKubernetesProvider, type KubernetesProviderOptions, kubernetesProvider } from "../src/kubernetes.ts";
import { type SeenRequest, type SoundAnswer, selfSigned, startTestServer } from "../src/testing/index.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { kubernetesServer } from "./stubs/kubernetes.ts";

const TOKEN = "canary-token-1c5f";
const base64 = (value: string | Uint8Array) => Buffer.from(value).toString("base64");
const VALUE = { user: "u", password: "canary-value" };
const STUB = {
  token: TOKEN,
  secrets: {
    "apps/db": { data: { user: base64("u"), password: base64("canary-value") } },
    "apps/tls.web": { data: { "tls.crt": base64("pem\n"), "keystore.p12": base64(new Uint8Array([0xff, 0xfe, 0])) } },
    "apps/json": { data: { config: base64('{"a":1}') } },
    "apps/binary": { data: { "keystore.p12": base64(new Uint8Array([0xff])) } },
    "apps/empty": {},
    "apps/odd": { data: { key: "canary*" } },
    "apps/leaving": { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, data: { key: base64("canary-old") } },
    "other/db": { data: { user: base64("other") } },
  },
  forbidden: ["root"],
};
const answer = kubernetesServer(STUB);
const open = (address: string, options: Partial<KubernetesProviderOptions> = {}) =>
  createKubernetesProvider({ address, token: TOKEN, namespace: "apps", env: {}, ...options });

describeContract("the contract", { answer, open, stored: { path: "db", value: VALUE }, missing: "none" });

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer,
  path: "db",
  canaries: [TOKEN, "canary-value", base64("canary-value")],
});

describe("createKubernetesProvider, outside of the cluster", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());

  async function look(path: string, options: Partial<KubernetesProviderOptions> = {}, address = server.address) {
    const provider = open(address, options);
    const given = await provider.lookup({ path, format: "json" }, soon());
    await provider.close();
    return given;
  }

  it.each<[string, string, Partial<KubernetesProviderOptions>, unknown]>([
    ["with its keys as fields, and its version", "db", {}, VALUE],
    ["of another namespace", "db", { namespace: "other" }, { user: "other" }],
    ["with one key as one field", "json", {}, { config: '{"a":1}' }],
    ["without the keys that are no text", "tls.web", {}, { "tls.crt": "pem\n" }],
  ])("gives a Secret %s", async (_what, path, options, value) => {
    expect(await look(path, options)).toEqual({ status: "found", secret: { value, version: "42" } });
  });

  it.each<[string, string, Partial<KubernetesProviderOptions>, string, string]>([
    ["that never existed", "none", {}, "notFound", "404 NotFound. Check the namespace too."],
    ["that is being deleted", "leaving", {}, "notFound", "it is being deleted."],
    ["whose name cannot be", "DB_PASSWORD", {}, "notFound", "Kubernetes has no names such as DB_PASSWORD."],
    ["whose name is too long", "a".repeat(254), {}, "notFound", "Kubernetes has no names such as"],
    ["of another resource", "db/../../pods", {}, "notFound", "Kubernetes has no names such as"],
    ["that it may not get", "root", {}, "denied", "403 Forbidden"],
    ["with a wrong token", "db", { token: "wrong" }, "denied", "401 Unauthorized"],
    ["without a token", "db", { token: undefined }, "denied", "there is no token"],
    ["without a namespace", "db", { namespace: undefined, serviceAccount: "/none" }, "malformed", "(ENOENT)"],
    ["of a namespace that is a path", "db", { namespace: ".." }, "malformed", "a part of the path is"],
    ["without keys", "empty", {}, "malformed", "it has no key with a text"],
    ["without a text", "binary", {}, "malformed", "it has no key with a text"],
    ["that is not base64", "odd", {}, "malformed", "the key key is not base64"],
  ])("answers for a Secret %s", async (_what, path, options, status, reason) => {
    const given = await look(path, options);
    expect(given).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it("refuses a version that is asked for", async () => {
    const provider = open(server.address);
    const source = createProviderSource(provider);
    const binding = { source: provider.id, path: "db", version: "1" };
    expect(await source.lookup(parseSecretName("DB"), { binding })).toMatchObject({
      status: "malformed",
      reason: "it has no versions",
    });
    await provider.close();
  });

  it.each<[string, (request: SeenRequest) => SoundAnswer, unknown]>([
    ["whose token it is", answer, { status: "found", secret: { account: "system:serviceaccount:apps:autokestra" } }],
    [
      "nothing of it, where the cluster is old",
      kubernetesServer({ ...STUB, isOld: true }),
      { status: "found", secret: {} },
    ],
    ["that another server answers", () => ({ status: 404, body: "nothing" }), { status: "notFound" }],
    ["that the answer has another shape", () => ({ status: 201, body: {} }), { status: "malformed" }],
    ["that the token is refused", kubernetesServer({ ...STUB, token: "other" }), { status: "denied" }],
  ])("says in a check %s", async (_what, respond, expected) => {
    const checked = await startTestServer(respond);
    const provider = open(checked.address);
    expect(await provider.check(soon())).toMatchObject(expected as object);
    await provider.close();
    await checked.close();
    const tokenless = open(server.address, { token: undefined });
    expect((await tokenless.check(soon())).status).toBe("denied");
    await tokenless.close();
  });

  it("never sends the token of the service account to another cluster", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autokestra-kubernetes-"));
    writeFileSync(join(folder, "token"), TOKEN);
    expect(await look("db", { token: undefined, serviceAccount: folder })).toMatchObject({
      reason: "there is no token",
    });
    rmSync(folder, { recursive: true });
  });

  it("sends no token where there is a certificate", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autokestra-kubernetes-"));
    const { key, cert } = selfSigned();
    const [certFile, keyFile] = [join(folder, "cert"), join(folder, "key")] as const;
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const seen = await startTestServer((request) =>
      answer({ ...request, headers: { authorization: `Bearer ${TOKEN}` } }),
    );
    expect(await look("db", { token: undefined, certFile, keyFile }, seen.address)).toMatchObject({ status: "found" });
    expect(seen.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await seen.close();
    rmSync(folder, { recursive: true });
  });
});

describe("inside of a cluster", () => {
  const stub = { ...STUB, token: TOKEN };
  let root = "";
  let folder = "";
  let server: Server;
  let env: NodeJS.ProcessEnv = {};
  let own: Buffer;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "autokestra-kubernetes-"));
    folder = join(root, "var/run/secrets/kubernetes.io/serviceaccount");
    mkdirSync(folder, { recursive: true });
    const { key, cert } = selfSigned();
    own = key;
    writeFileSync(join(folder, "token"), TOKEN);
    writeFileSync(join(folder, "namespace"), "apps");
    writeFileSync(join(folder, "ca.crt"), cert);
    const respond = kubernetesServer(stub);
    const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
      const { method = "", url: path = "", headers } = incoming;
      const body = (await incoming.toArray()).join("");
      const { status = 200, body: sent } = respond({ method, path, headers, body });
      // A certificate is met again by a connection of its own alone.
      response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(sent));
    };
    server = createServer({ key, cert }, (incoming, response) => void serve(incoming, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(port) };
  });
  afterAll(() => {
    server.close();
    rmSync(root, { recursive: true });
  });

  const inside = (options: Partial<KubernetesProviderOptions> = {}) =>
    createKubernetesProvider({ serviceAccount: folder, env, ...options });

  /** The vendor's client, as it finds its way inside of a cluster. */
  function client() {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const config = new KubeConfig();
    config.loadFromCluster(root);
    vi.unstubAllEnvs();
    return config;
  }

  it("takes address, token, CA and namespace from the service account, as it is configured", async () => {
    const configuration = { type: "kubernetes", serviceAccount: folder };
    const { provider } = openProvider(kubernetesProvider, configuration, { id: "k", env });
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject({
      secret: { value: VALUE },
    });
    expect(await provider.check(soon())).toMatchObject({ status: "found" });
    await provider.close();
  });

  it("takes another token, namespace and CA where they are given", async () => {
    const provider = inside({
      tokenEnv: "T",
      namespace: "other",
      caFile: join(folder, "ca.crt"),
      env: { ...env, T: TOKEN },
    });
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject({
      secret: { value: { user: "other" } },
    });
    await provider.close();
  });

  it("reads token and CA again when they change", async () => {
    const [before, ca] = [{ ...stub }, readFileSync(join(folder, "ca.crt"))];
    onTestFinished(() => {
      Object.assign(stub, before);
      server.setSecureContext({ key: own, cert: ca });
      writeFileSync(join(folder, "ca.crt"), ca);
      writeFileSync(join(folder, "token"), TOKEN);
    });
    const provider = inside();
    const status = async () => (await provider.lookup({ path: "db", format: "json" }, soon())).status;
    expect(await status()).toBe("found");
    stub.token = "canary-second";
    writeFileSync(join(folder, "token"), "canary-second");
    expect(await status()).toBe("found");
    const { key, cert } = selfSigned();
    server.setSecureContext({ key, cert });
    expect(await status()).toBe("denied");
    writeFileSync(join(folder, "ca.crt"), cert);
    expect(await status()).toBe("found");
    await provider.close();
  });

  it.each([
    [{ KUBERNETES_SERVICE_HOST: "::1", KUBERNETES_SERVICE_PORT: "6443" }, "https://[::1]:6443/api"],
    [{ KUBERNETES_SERVICE_HOST: "10.0.0.1" }, "https://10.0.0.1/api"],
    [{}, "https://kubernetes.default.svc/api"],
  ])("with %j asks %s", async (variables, address) => {
    // Refused before anything is sent: these addresses can be somebody's.
    const provider = inside({ env: variables, namespace: ".." });
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject({
      status: "malformed",
      reason: expect.stringContaining(`GET ${address}/v1/`),
    });
    await provider.close();
  });

  describe("the vendor's client against the stub", () => {
    it("gets a Secret", async () => {
      const secret = await client().makeApiClient(CoreV1Api).readNamespacedSecret({ name: "db", namespace: "apps" });
      expect(secret).toMatchObject({ data: { password: base64("canary-value") }, metadata: { resourceVersion: "42" } });
    });
    it("is told whose the token is", async () => {
      const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
      const review = await client().makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body });
      expect(review.status?.userInfo?.username).toBe("system:serviceaccount:apps:autokestra");
    });
    it("finds the namespace of the service account", () => {
      expect(client().getContextObject("inClusterContext")).toMatchObject({ namespace: "apps" });
    });
    it.each([
      ["a Secret that is not there", "none", 404, "NotFound"],
      ["a Secret that it may not get", "root", 403, "Forbidden"],
    ])("refuses %s", async (_what, name, code, reason) => {
      const call = client().makeApiClient(CoreV1Api).readNamespacedSecret({ name, namespace: "apps" });
      await expect(call).rejects.toMatchObject({ code, body: expect.stringContaining(`"reason":"${reason}"`) });
    });
    it("refuses a wrong token", async () => {
      const config = client();
      config.users = [{ name: "inClusterUser", token: "wrong" }];
      const call = config.makeApiClient(CoreV1Api).readNamespacedSecret({ name: "db", namespace: "apps" });
      await expect(call).rejects.toMatchObject({ code: 401 });
    });
  });
});
