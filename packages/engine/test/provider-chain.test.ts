import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "@autokestra/config";
import type { RunEvent } from "@autokestra/runs";
import { PROVIDER_TYPES } from "@autokestra/secrets-providers";
import { type SeenRequest, type SoundAnswer, startTestServer } from "@autokestra/secrets-providers/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { createAwsStub } from "../../secrets-providers/test/stubs/aws-secrets-manager.ts";
import * as azure from "../../secrets-providers/test/stubs/azure-key-vault.ts";
import { dopplerServer } from "../../secrets-providers/test/stubs/doppler.ts";
import * as google from "../../secrets-providers/test/stubs/gcp-secret-manager.ts";
import { infisicalServer } from "../../secrets-providers/test/stubs/infisical.ts";
import { kubernetesServer } from "../../secrets-providers/test/stubs/kubernetes.ts";
import { connectServer } from "../../secrets-providers/test/stubs/onepassword-connect.ts";
import { openEngine, parseWorkflow } from "../src/index.ts";

const TOKEN = "canary-token-4c81";
const PASSWORD = "canary-password-90e2";
const VALUE = JSON.stringify({ user: "ada", password: PASSWORD });
const folder = temporaryFolder(afterAll);
afterEach(() => {
  vi.unstubAllEnvs();
});

const WORKFLOW = `apiVersion: v1
id: report
secrets: [DB]
inputs: { url: { type: string } }
tasks:
  - id: send
    type: core/http.request
    inputs:
      method: POST
      url: "{{ inputs.url }}"
      headers: { X-Password: "{{ secrets.DB.password }}" }
      body: { all: "{{ secrets.DB }}" }
  - { id: say, type: core/console.log, needs: [send], inputs: { message: "sent {{ secrets.DB.password }}" } }
`;

/** A type of provider that has DB, and how a configuration names it. */
interface Row {
  /** @param address that of a server which answers as `answer` does */
  readonly options: (address: string) => object;
  /** Default: nothing is asked over HTTP. */
  readonly answer?: (request: SeenRequest) => SoundAnswer;
  /** Where it is there. Default: `DB` */
  readonly path?: string;
}

const nothing: SoundAnswer = { status: 404, body: { errors: [] } };
const bearer = { tokenEnv: "PROVIDER_TOKEN" };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const idOf = (text: string) => text.padEnd(26, "0");
const field = (label: string, value: string) => ({ id: label, type: "STRING", label, value });

const ROWS: Readonly<Record<string, Row>> = {
  "aws-secrets-manager": {
    options: (endpoint) => ({ endpoint, region: "eu-central-1" }),
    answer: createAwsStub({ DB: { SecretString: VALUE } }),
  },
  "azure-key-vault": {
    options: (address) => {
      const { TENANT: tenantId, CLIENT_ID: clientId } = azure;
      const auth = { method: "clientSecret", tenantId, clientId, clientSecretEnv: "AZURE_SECRET", authority: address };
      return { address, auth };
    },
    answer: azure.createAzureStub({ DB: [{ value: VALUE, version: "1" }] }),
  },
  command: {
    options() {
      const program = join(folder, "print");
      writeFileSync(program, `#!/bin/sh\n[ "$1" = DB ] && printf '%s' '${VALUE}'\n`);
      chmodSync(program, 0o755);
      return { command: [program, "{name}"] };
    },
  },
  directory: {
    options() {
      const place = join(folder, "mounted", "DB");
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, "user"), "ada\n");
      writeFileSync(join(place, "password"), `${PASSWORD}\n`);
      return { folder: join(folder, "mounted") };
    },
  },
  doppler: {
    options: (address) => ({ address, ...bearer }),
    answer: dopplerServer({ service: TOKEN, personal: "personal" }, { DB: VALUE }),
  },
  "gcp-secret-manager": {
    options: (address) => ({
      address,
      project: google.PROJECT,
      auth: { method: "token", tokenEnv: "GOOGLE_TOKEN" },
    }),
    answer: google.createGcpStub({ DB: [{ value: VALUE }] }),
  },
  http: {
    options: (address) => ({ url: `${address}/v1/{name}`, pointer: "/data", ...bearer }),
    answer: ({ path, headers }) =>
      path === "/v1/DB" && headers.authorization === `Bearer ${TOKEN}` ? { body: { data: VALUE } } : nothing,
  },
  infisical: {
    options: (address) => ({
      address,
      projectId: "p1",
      environment: "prod",
      clientId: "client",
      clientSecretEnv: "PROVIDER_TOKEN",
    }),
    answer: infisicalServer({
      clientId: "client",
      clientSecret: TOKEN,
      token: TOKEN,
      projectId: "p1",
      secrets: { "prod:/DB": [VALUE] },
    }),
  },
  kubernetes: {
    options: (address) => ({ address, namespace: "apps", ...bearer }),
    answer: kubernetesServer({
      token: TOKEN,
      secrets: { "apps/db": { data: { user: base64("ada"), password: base64(PASSWORD) } } },
    }),
    path: "db",
  },
  "onepassword-connect": {
    options: (address) => ({ address, vault: idOf("vault"), ...bearer }),
    answer: connectServer(TOKEN, [
      {
        id: idOf("vault"),
        name: "apps",
        items: [{ id: idOf("item"), title: "DB", fields: [field("user", "ada"), field("password", PASSWORD)] }],
      },
    ]),
  },
  vault: {
    options: (address) => ({ address, auth: { method: "token", ...bearer } }),
    answer({ path, headers }) {
      const metadata = { version: 3, deletion_time: "", destroyed: false };
      const isRead = path === "/v1/secret/data/DB" && headers["x-vault-token"] === TOKEN;
      return isRead ? { body: { data: { data: JSON.parse(VALUE), metadata } } } : nothing;
    },
  },
};

it("has a row for each type", () => {
  expect(Object.keys(ROWS)).toEqual(Object.keys(PROVIDER_TYPES).toSorted());
});

it.each(Object.entries(ROWS))("a workflow uses a value of %s, and shows only a mask", async (type, row) => {
  // The SDK of AWS reads the environment of the process.
  for (const [name, value] of [
    ["AWS_ACCESS_KEY_ID", "AKID"],
    ["AWS_SECRET_ACCESS_KEY", TOKEN],
    ["AWS_EC2_METADATA_DISABLED", "true"],
  ] as const) {
    vi.stubEnv(name, value);
  }
  const server = await startTestServer((request) => row.answer?.(request) ?? nothing);
  const receiver = await startTestServer(() => ({ body: {} }));
  const configuration = {
    providers: { p: { type, ...row.options(server.address) } },
    secrets: { DB: { provider: "p", path: row.path } },
  };
  const runsPath = join(folder, `${type}.db`);
  const engine = await openEngine({
    config: parseConfig(JSON.stringify(configuration), join(folder, "autokestra.config.yaml")),
    storagePath: join(folder, `secrets-${type}`),
    runsPath,
    keyFolder: null,
    keepInEnvironment: true,
    env: {
      PATH: process.env["PATH"],
      AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4),
      PROVIDER_TOKEN: TOKEN,
      AZURE_SECRET: azure.CLIENT_SECRET,
      GOOGLE_TOKEN: google.TOKEN,
    },
  });
  const events: RunEvent[] = [];
  const { status } = await engine.run(parseWorkflow(WORKFLOW, "report.yaml"), {
    inputs: { url: receiver.address },
    sink: (event) => void events.push(event),
  });
  await engine.close();
  await server.close();
  await receiver.close();

  expect(status, JSON.stringify(events)).toBe("success");
  const [request] = receiver.requests;
  expect(request?.headers["x-password"]).toBe(PASSWORD);
  expect(JSON.parse(request?.body ?? "")).toEqual({ all: JSON.parse(VALUE) });
  expect(events[0]).toMatchObject({ event: "run.started", data: { secrets: { DB: { source: "p" } } } });
  expect(events.flatMap((event) => ("message" in event ? [event.message] : []))).toContain("sent ***SECRET***");
  const shown = JSON.stringify(events) + readFileSync(runsPath, "latin1");
  for (const canary of [PASSWORD, base64(PASSWORD), TOKEN, azure.CLIENT_SECRET, google.TOKEN]) {
    expect(shown).not.toContain(canary);
  }
});
