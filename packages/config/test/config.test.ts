import { z } from "@autokestra/secrets-core/internal";
import { describe, expect, it } from "vitest";
import { type Config, configJsonSchema, parseConfig } from "../src/index.ts";
import { FileError } from "../src/yaml.ts";

const PATH = "/srv/app/autokestra.config.yaml";

function parse(source: string): Config {
  return parseConfig(source, PATH);
}

function failure(work: () => unknown): FileError {
  try {
    work();
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("a configuration", () => {
  it("says how the server is reached and who may use it", () => {
    const { server } = parse(`
server:
  host: 0.0.0.0
  tlsCert: tls/cert.pem
  tlsKey: tls/key.pem
  roles: { deploy: ["secrets:read"] }
  jwt: { issuer: "https://id.example", audience: autokestra, jwksFile: keys.json }
`);
    expect(server).toEqual({
      host: "0.0.0.0",
      tlsCert: "/srv/app/tls/cert.pem",
      tlsKey: "/srv/app/tls/key.pem",
      roles: { deploy: ["secrets:read"] },
      jwt: { issuer: "https://id.example", audience: "autokestra", jwksFile: "/srv/app/keys.json" },
    });
  });

  it("says what the server does regularly, in milliseconds", () => {
    const { server } = parse(
      "server: { backups: { every: 24h, to: copies, recipients: [age1x], keep: 3 }, keys: { rotateDataKeyEvery: 90 days } }",
    );
    expect(server).toEqual({
      backups: { every: 86_400_000, to: "/srv/app/copies", recipients: ["age1x"], keep: 3 },
      keys: { rotateDataKeyEvery: 90 * 86_400_000 },
    });
  });

  it("says nothing where it is empty", () => {
    for (const source of ["", "# a comment\n", "{}"]) {
      const { providers, bindings, storagePath, environment } = parse(source);
      expect({ providers, bindings, storagePath, environment }).toEqual({
        providers: {},
        bindings: {},
        storagePath: undefined,
        environment: undefined,
      });
    }
  });

  it("says all that it can say, with paths from its own folder", () => {
    const config = parse(`
storage: { path: .workflow/secrets, backend: file }
keyFile: /run/secrets/key
maxVersions: 3
runs: { path: ../runs.db, keepRuns: 30, keepOutputs: 48, keepLog: 5 }
masking: { placeholder: "[hidden]" }
audit: { keepDays: 30, sink: { syslog: "tls://logs.example:6514", ca: ca.pem, required: true } }
env: false
providers:
  vault: { type: vault, address: "https://vault.example:8200", path: "apps/{name}" }
providerPackages: ["@acme/provider"]
sources: [vault, store]
resolveTimeoutSeconds: 2.5
http: { privateNetworks: deny, allowHosts: [api.example.com, "*.corp.example:8443", "10.0.0.7:8080", "[fd00::1]:80"] }
secrets:
  DB: { provider: vault, path: apps/db, type: basicAuth, fields: { username: user, password: pass } }
  KEY: { provider: vault, id: prod/signing, version: 3, format: text, fallback: store }
  REPORT: { provider: vault, lease: database/creds/report }
  AWS: { provider: environment, variable: AWS_SECRET_ACCESS_KEY }
plugins: [./mail.js, { module: "@acme/plugin-sums", network: false }]
`);
    expect(config).toEqual({
      checkProvider: expect.any(Function),
      refusePlugin: expect.any(Function),
      plugins: [
        { module: "./mail.js", network: true },
        { module: "@acme/plugin-sums", network: false },
      ],
      path: PATH,
      storagePath: "/srv/app/.workflow/secrets",
      backend: "file",
      keyFile: "/run/secrets/key",
      maxVersions: 3,
      runsPath: "/srv/runs.db",
      runsKept: { keepRuns: 30, keepDays: undefined, keepOutputsHours: 48, keepLogMiB: 5 },
      placeholder: "[hidden]",
      environment: false,
      audit: {
        on: true,
        keepDays: 30,
        sink: { syslog: "tls://logs.example:6514", ca: "/srv/app/ca.pem", required: true },
      },
      providers: { vault: { type: "vault", address: "https://vault.example:8200", path: "apps/{name}" } },
      providerPackages: ["@acme/provider"],
      sources: ["vault", "store"],
      resolveTimeoutSeconds: 2.5,
      http: {
        privateNetworks: "deny",
        allowHosts: ["api.example.com", "*.corp.example:8443", "10.0.0.7:8080", "[fd00::1]:80"],
      },
      server: {},
      bindings: {
        DB: { source: "vault", path: "apps/db", type: "basicAuth", fields: { username: "user", password: "pass" } },
        KEY: { source: "vault", path: "prod/signing", version: "3", format: "text", fallback: "store" },
        REPORT: { source: "vault", lease: "database/creds/report" },
        AWS: { source: "environment", path: "AWS_SECRET_ACCESS_KEY" },
      },
    });
  });

  it.each([
    ["on", { on: true, keepDays: undefined, sink: undefined }],
    ["off", { on: false, keepDays: undefined, sink: undefined }],
    ["{ on: false, keepDays: 7 }", { on: false, keepDays: 7, sink: undefined }],
    ["{ sink: { command: [logger, -t, audit] } }", { on: true, sink: { command: ["logger", "-t", "audit"] } }],
    ['{ sink: { syslog: "tcp://[::1]:601" } }', { on: true, sink: { syslog: "tcp://[::1]:601" } }],
  ])("turns the audit log on or off: %s", (text, audit) => {
    expect(parse(`audit: ${text}`).audit).toEqual(audit);
  });

  it.each([
    ["audit: yes", "'audit' must be on, off or its settings", undefined, 1],
    ["audit: { sinc: 1 }", "Unknown key 'sinc' in 'audit'", "Did you mean 'sink'?", 1],
    ["audit: { keepDays: 0 }", "'audit.keepDays' must be at least 1", undefined, 1],
    [
      "audit: { sink: { syslog: 'udp://x:1' } }",
      "'audit.sink.syslog' must be tcp://host:port or tls://host:port",
      undefined,
      1,
    ],
    ["providerz: {}", "Unknown key 'providerz'", "Did you mean 'providers'?", 1],
    ["storage: { pat: x }", "Unknown key 'pat' in 'storage'", "Did you mean 'path'?", 1],
    ["a: 1\na: 2", "The key 'a' occurs twice", undefined, 2],
    ["maxVersions: many", "'maxVersions' must be a number", undefined, 1],
    ["maxVersions: 0", "'maxVersions' must be at least 1", undefined, 1],
    ["maxVersions: 1e1", "This would read differently as text", "Put it in quotes.", 1],
    ["env: yes please", "'env' must be a boolean", undefined, 1],
    [
      "storage: { backend: mongo }",
      "'storage.backend' must be auto or sqlite or file",
      "Known here: auto, sqlite, file.",
      1,
    ],
    ["- a", "The configuration must be a map", undefined, 1],
    ["server: { hots: dir }", "Unknown key 'hots' in 'server'", "Did you mean 'hosts'?", 1],
    [
      "server: { backups: { every: daily, to: a, recipients: [b] } }",
      "'server.backups.every' must be a length of time of at least a minute, such as 24h or 90d",
      undefined,
      1,
    ],
    [
      "server: { backups: { evry: 1h, to: a, recipients: [b] } }",
      "Unknown key 'evry' in 'server.backups'",
      "Did you mean 'every'?",
      1,
    ],
    [
      "server: { backups: { every: 1h, to: a, recipients: [] } }",
      "'server.backups.recipients' must name at least one recipient",
      undefined,
      1,
    ],
    [
      "server: { keys: { rotateDataKeyEvery: 30s } }",
      "'server.keys.rotateDataKeyEvery' must be a length of time of at least a minute, such as 24h or 90d",
      undefined,
      1,
    ],
    ["server: { tlsCert: a }", "'tlsCert' and 'tlsKey' go together", undefined, 1],
    ["server: { jwt: { issuer: a, audience: b } }", "'jwt' needs either 'jwksUri' or 'jwksFile'", undefined, 1],
    ["http: { privateNetwork: deny }", "Unknown key 'privateNetwork' in 'http'", "Did you mean 'privateNetworks'?", 1],
    [
      "http: { privateNetworks: refuse }",
      "'http.privateNetworks' must be allow or deny",
      "Known here: allow, deny.",
      1,
    ],
    [
      "http: { privateNetworks: deny, allowHosts: [https://api.example.com] }",
      "'http.allowHosts.0' must be a host, such as api.example.com, *.example.com or 10.0.0.7:8080",
      undefined,
      1,
    ],
    [
      "http: { allowHosts: [api.example.com] }",
      "'allowHosts' has no effect without 'privateNetworks: deny'",
      undefined,
      1,
    ],
    [
      "plugins:\n  - a\n  - { module: b, net: false }",
      "Unknown key 'net' in 'plugins.1'",
      "Known here: module, network.",
      3,
    ],
    [
      "plugins: [7]",
      "'plugins.0' must be a path, the name of a package, or a map with 'module' and 'network'",
      undefined,
      1,
    ],
    ["providers:\n  vault: {}", "'providers.vault.type' is missing", undefined, 2],
    [
      "providers: { store: { type: http } }",
      "A provider cannot be called 'store': that is a source of its own",
      undefined,
      1,
    ],
    ["sources: [stor]", "There is no source 'stor'", "Did you mean 'store'?", 1],
    ["sources: [store, store]", "The source 'store' is listed twice", undefined, 1],
    [
      "secrets: { A: { provider: valt } }\nproviders: { vault: { type: vault } }",
      "There is no provider 'valt'",
      "Did you mean 'vault'?",
      1,
    ],
    [
      "secrets: { A: { provider: v, path: a, id: b } }\nproviders: { v: { type: http } }",
      "'id' excludes 'path'",
      undefined,
      1,
    ],
    ["secrets: { A: { provider: store, type: basicAuth } }", "'type' has no effect with 'store'", undefined, 1],
    ["secrets: { A: { provider: store, fields: { a: b } } }", "'fields' has no effect with 'store'", undefined, 1],
    [
      "secrets: { A: { provider: environment, format: text } }",
      "'format' has no effect with 'environment'",
      undefined,
      1,
    ],
    ["secrets: { A: { provider: environment, type: oauth } }", "'type' has no effect with 'environment'", undefined, 1],
    [
      "secrets: { A: { provider: v, lease: a, path: b } }\nproviders: { v: { type: http } }",
      "'lease' excludes 'path'",
      undefined,
      1,
    ],
    ["secrets: { A: { provider: store, variable: X } }", "'variable' is for the provider 'environment'", undefined, 1],
    [
      "secrets: { A: { provider: environment, variable: AUTOKESTRA_SECRET_KEY } }",
      "The master key cannot be a secret of a workflow",
      undefined,
      1,
    ],
    ["secrets: { A: { provider: store, fallback: store } }", "The store cannot replace itself", undefined, 1],
    [
      "secrets: { A: { provider: v, field: a, fields: { b: c } } }\nproviders: { v: { type: http } }",
      "'fields' excludes 'field'",
      undefined,
      1,
    ],
    [
      "secrets: { A: { provider: environment, typ: apiKey } }",
      "Unknown key 'typ' in 'secrets.A'",
      "Did you mean 'type'?",
      1,
    ],
    [
      "secrets: { 'a b': { provider: store } }",
      "'secrets.a b' has a name with characters other than letters, digits, underscores and hyphens",
      undefined,
      1,
    ],
    ["secrets: { constructor: { provider: store } }", "The key constructor is reserved", undefined, 1],
  ])("is refused: %s", (source, message, hint, line) => {
    const { code, problems, path } = failure(() => parse(source));
    expect({ code, path }).toEqual({ code: "CONFIG_INVALID", path: PATH });
    expect(problems[0]).toMatchObject({ message, hint, position: { line } });
  });

  it("tells of everything that is wrong at once, with the lines", () => {
    const error = failure(() => parse("maxVersions: 0\nsotrage: {}\nsources: store\n"));
    expect(error.problems.map(({ message }) => message)).toEqual([
      "Unknown key 'sotrage'",
      "'maxVersions' must be at least 1",
      "'sources' must be a list",
    ]);
    expect(error.format()).toContain(`--> ${PATH}:2:10`);
  });

  it("shows no line that a token stands in", () => {
    const error = failure(() => parse("providers: { vault: { token: ghp_16C7e42F292c6912E7710c838347Ae178B4a } }\n"));
    expect(error.format()).not.toContain("ghp_");
  });

  it("has the options of a provider checked by its type, at their place in the file", () => {
    const config = parse("providers:\n  vault:\n    type: vault\n    adress: https://v\n");
    const options = z.strictObject({ type: z.literal("vault"), address: z.string() });
    const { problems } = failure(() => config.checkProvider("vault", options));
    expect(problems).toMatchObject([
      { message: "Unknown key 'adress' in 'providers.vault'", hint: "Did you mean 'address'?", position: { line: 4 } },
      { message: "'providers.vault.address' is missing" },
    ]);
    expect(() => parse("providers: { v: { type: vault, address: a } }").checkProvider("v", options)).not.toThrow();
  });

  it("has a JSON Schema in which every key is described", () => {
    const { properties } = z
      .looseObject({ properties: z.record(z.string(), z.looseObject({ description: z.string().optional() })) })
      .parse(configJsonSchema());
    expect(Object.keys(properties)).toContain("providers");
    for (const [key, { description, properties: inner }] of Object.entries(properties)) {
      expect(description ?? inner, key).toBeDefined();
    }
  });
});
