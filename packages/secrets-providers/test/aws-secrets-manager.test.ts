import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type AwsSecretsManagerProviderOptions,
  awsSecretsManagerProvider,
  createAwsSecretsManagerProvider,
} from "../src/aws-secrets-manager.ts";
import type { CallReport } from "../src/http-call.ts";
import { openProvider } from "../src/index.ts";
import type { SeenRequest, SoundAnswer } from "../src/testing/index.ts";
import { createAnsweringServers, lookIn } from "./answering-servers.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { ARN, awsError, createAwsStub, VERSION } from "./stubs/aws-secrets-manager.ts";

const SECRET_KEY = "canary-secret-access-key";
const VALUE = '{"user":"u","password":"canary-value"}';
const home = mkdtempSync(join(tmpdir(), "autokestra-aws-"));
const [config, credentials] = [join(home, "config"), join(home, "credentials")];
writeFileSync(
  config,
  "[profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = base\nregion = eu-west-1\n",
);
writeFileSync(credentials, `[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = ${SECRET_KEY}\n`);
afterAll(() => rmSync(home, { recursive: true }));

/** What the SDK reads of a machine: here it has keys, and nothing else. */
function machine(variables: Readonly<Record<string, string | undefined>> = {}) {
  const all = {
    AWS_ACCESS_KEY_ID: "AKID",
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    AWS_REGION: undefined,
    AWS_PROFILE: undefined,
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: credentials,
    AWS_EC2_METADATA_DISABLED: "true",
    ...variables,
  };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
}
beforeEach(() => machine());
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const stub = createAwsStub({
  db: { SecretString: VALUE },
  other: { SecretString: "other" },
  binary: { SecretBinary: Buffer.from("bytes\n").toString("base64") },
  image: { SecretBinary: Buffer.from([0xff, 0xfe]).toString("base64") },
  nothing: {},
});

const open = (endpoint: string, options: Partial<AwsSecretsManagerProviderOptions> = {}) =>
  createAwsSecretsManagerProvider({ region: "eu-central-1", endpoint, env: {}, ...options });

describeContract("the contract", { answer: stub, open, stored: { path: "db", value: VALUE }, missing: "none" });

describeFaults("faults", {
  // Each test sets variables of the process, which the SDK reads.
  itConcurrently: undefined,
  open: (address, onCall) => open(address, { onCall }),
  answer: stub,
  path: "db",
  canaries: [SECRET_KEY, "canary-value"],
});

const isLogin = ({ body }: SeenRequest) => body.includes("Action=AssumeRole");

/** A role that is taken on, as STS answers. */
function assumedRole(expiration = new Date(Date.now() + 3_600_000)): SoundAnswer {
  const fields = `<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>canary-role-key</SecretAccessKey><SessionToken>canary-session</SessionToken><Expiration>${expiration.toISOString()}</Expiration>`;
  const user =
    "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/deploy/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>";
  return {
    headers: { "content-type": "text/xml" },
    body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>${fields}</Credentials>${user}</AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>`,
  };
}
const withRole = (request: SeenRequest) => (isLogin(request) ? assumedRole() : stub(request));

describeFaults("faults, with a role", {
  // Each test sets variables of the process, which the SDK reads.
  itConcurrently: undefined,
  open: (address, onCall) => {
    machine({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_ENDPOINT_URL_STS: address });
    return open(address, { onCall, profile: "deploy" });
  },
  answer: withRole,
  path: "db",
  canaries: [SECRET_KEY, "canary-role-key", "canary-session", "canary-value"],
  isLogin,
});

describe("against a server that answers as it is told", () => {
  const servers = createAnsweringServers(stub);

  async function start(
    answers: (request: SeenRequest) => SoundAnswer | null,
    options: Partial<AwsSecretsManagerProviderOptions> = {},
  ) {
    const server = await servers.start(answers);
    const calls: CallReport[] = [];
    const provider = open(server.address, { onCall: (call) => calls.push(call), ...options });
    const look = lookIn(provider);
    const lookMany = async (...paths: readonly string[]) =>
      await provider.lookupMany?.(
        paths.map((path) => ({ path, format: "json" as const })),
        soon(),
      );
    const targets = () => server.requests.map(({ headers }) => String(headers["x-amz-target"]).replace(/.*\./, ""));
    return { server, provider, look, lookMany, targets, calls };
  }

  it("signs with the region and the keys of the environment, and names calls for counters", async () => {
    const { provider, look, server, calls } = await start(() => null);
    expect(await look()).toEqual({ status: "found", secret: { value: VALUE, version: VERSION } });
    await provider.close();
    expect(server.requests[0]?.headers).toMatchObject({
      "content-type": "application/x-amz-json-1.1",
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=AKID\/\d+\/eu-central-1\/secretsmanager\//),
    });
    expect(calls).toMatchObject([{ call: "GetSecretValue", status: "200" }]);
  });

  it.each<[string | undefined, object]>([
    [undefined, { SecretId: "db" }],
    ["AWSPREVIOUS", { SecretId: "db", VersionStage: "AWSPREVIOUS" }],
    [VERSION, { SecretId: "db", VersionId: VERSION }],
  ])("asks for the version %s", async (version, input) => {
    const { provider, look, server } = await start(() => null);
    await look({ version });
    await provider.close();
    expect(JSON.parse(server.requests[0]?.body ?? "")).toEqual(input);
  });

  it.each<[string, object]>([
    ["binary", { status: "found", secret: { value: "bytes\n" } }],
    ["image", { status: "malformed", reason: expect.stringMatching(/binary/) }],
    ["nothing", { status: "malformed", reason: expect.stringMatching(/no value$/) }],
    [`${ARN}db`, { status: "found", secret: { value: VALUE } }],
  ])("reads %s", async (path, expected) => {
    const { provider, look } = await start(() => null);
    expect(await look({ path })).toMatchObject(expected);
    await provider.close();
  });

  const DELETED = "You can't perform this operation on the secret because it was marked for deletion.";
  it.each<[string, SoundAnswer, object, number]>([
    ["never existed", awsError("ResourceNotFoundException"), { status: "notFound" }, 1],
    [
      "deleted",
      awsError("InvalidRequestException", DELETED),
      { status: "notFound", reason: expect.stringMatching(/marked for deletion/) },
      1,
    ],
    ["deleted, by parameter", awsError("InvalidParameterException", DELETED), { status: "notFound" }, 1],
    ["an invalid request", awsError("InvalidRequestException"), { status: "malformed" }, 1],
    [
      "a policy",
      awsError("AccessDeniedException"),
      { status: "denied", hint: expect.stringMatching(/GetSecretValue/) },
      1,
    ],
    [
      "a key of KMS",
      awsError("DecryptionFailure"),
      { status: "denied", hint: expect.stringMatching(/kms:Decrypt/) },
      1,
    ],
    [
      "credentials that ran out",
      awsError("ExpiredTokenException"),
      { status: "denied", hint: expect.stringMatching(/log in/) },
      1,
    ],
    ["unknown keys", awsError("UnrecognizedClientException"), { status: "denied", hint: "Check the credentials." }, 1],
    ["a wrong signature", awsError("InvalidSignatureException", "x", 403), { status: "denied" }, 1],
    ["throttled", awsError("ThrottlingException"), { status: "unavailable" }, 3],
    ["too many", awsError("com.amazonaws#TooManyRequestsException:http"), { status: "unavailable" }, 3],
    ["its own failure", awsError("InternalServiceError", "x", 500), { status: "unavailable" }, 3],
    [
      "a name in the header",
      { status: 400, headers: { "x-amzn-errortype": "AccessDeniedException:http://x" }, body: {} },
      { status: "denied" },
      1,
    ],
    ["503 of a proxy", { status: 503, body: "<html>" }, { status: "unavailable" }, 3],
    ["403 of a proxy", { status: 403, body: "<html>" }, { status: "denied" }, 1],
    ["a page", { body: "<html>" }, { status: "malformed", hint: expect.stringMatching(/endpoint/) }, 1],
  ])("answers %s", async (_, read, expected, requests) => {
    const { provider, look, server } = await start(() => read);
    const answer = await look();
    await provider.close();
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toContain("canary");
    expect(server.requests.length).toBe(requests);
  });

  it("asks for several in one call, and alone for those with a version", async () => {
    const { provider, lookMany, targets } = await start(() => null);
    expect(await lookMany("db", "none", `${ARN}other`, "db")).toMatchObject([
      { status: "found", secret: { value: VALUE } },
      { status: "notFound" },
      { status: "found", secret: { value: "other" } },
      { status: "found", secret: { value: VALUE } },
    ]);
    expect(targets()).toEqual(["BatchGetSecretValue"]);
    const both = await provider.lookupMany?.(
      [
        { path: "db", version: "AWSPREVIOUS", format: "json" },
        { path: "other", format: "json" },
      ],
      soon(),
    );
    expect(both?.map(({ status }) => status)).toEqual(["notFound", "found"]);
    await provider.close();
    expect(targets().slice(1)).toEqual(["GetSecretValue", "GetSecretValue"]);
  });

  it("asks for 20 at most in one call", async () => {
    const { provider, lookMany, server } = await start(() => null);
    await lookMany(...Array.from({ length: 25 }, (_, index) => `name-${index}`));
    await provider.close();
    expect(server.requests.map(({ body }) => JSON.parse(body).SecretIdList.length)).toEqual([20, 5]);
  });

  it("asks one by one where it may not ask for several, from then on", async () => {
    const { provider, lookMany, targets } = await start(({ headers }) =>
      String(headers["x-amz-target"]).includes("Batch") ? awsError("AccessDeniedException") : null,
    );
    expect((await lookMany("db", "other"))?.map(({ status }) => status)).toEqual(["found", "found"]);
    await lookMany("db", "other");
    await provider.close();
    expect(targets()).toEqual(["BatchGetSecretValue", ...Array(4).fill("GetSecretValue")]);
  });

  it("reads the errors of single secrets, and asks alone for what was left out", async () => {
    const Errors = [
      ["a", "AccessDeniedException"],
      ["b", "DecryptionFailure"],
      ["c", "InternalServiceError"],
      ["d", "SomethingNew"],
    ].map(([SecretId, ErrorCode]) => ({ SecretId, ErrorCode, Message: "canary" }));
    const { provider, lookMany, targets } = await start(({ headers }) =>
      String(headers["x-amz-target"]).includes("Batch") ? { body: { SecretValues: [], Errors } } : null,
    );
    const answers = await lookMany("a", "b", "c", "d", "db");
    await provider.close();
    expect(answers?.map(({ status }) => status)).toEqual(["denied", "denied", "unavailable", "malformed", "found"]);
    expect(JSON.stringify(answers)).not.toContain('canary"');
    expect(targets()).toEqual(["BatchGetSecretValue", "GetSecretValue"]);
  });

  it.each<[string, SoundAnswer, string[], number]>([
    ["is unavailable", awsError("InternalServiceError", "x", 500), ["unavailable", "unavailable"], 3],
    ["is something else", { body: { SecretValues: "x" } }, ["found", "found"], 3],
  ])("answers several where the one call %s", async (_, read, statuses, requests) => {
    const { provider, lookMany, targets } = await start(({ headers }) =>
      String(headers["x-amz-target"]).includes("Batch") ? read : null,
    );
    expect((await lookMany("db", "other"))?.map(({ status }) => status)).toEqual(statuses);
    await provider.close();
    expect(targets().length).toBe(requests);
  });

  it.each<[string, SoundAnswer | null, string]>([
    ["everything", null, "found"],
    ["no permission", awsError("AccessDeniedException"), "found"],
    ["unknown keys", awsError("UnrecognizedClientException"), "denied"],
    ["an outage", awsError("InternalServiceError", "x", 500), "unavailable"],
  ])("checks a server that answers with %s", async (_, read, status) => {
    const { provider, targets } = await start(() => read);
    expect((await provider.check(soon())).status).toBe(status);
    await provider.close();
    expect(new Set(targets())).toEqual(new Set(["GetRandomPassword"]));
  });

  it("takes on the role of a profile once, and says when it ends", async () => {
    const end = new Date(Date.now() + 3_600_000);
    const { provider, look, server, calls } = await start((request) => (isLogin(request) ? assumedRole(end) : null), {
      profile: "deploy",
    });
    machine({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_ENDPOINT_URL_STS: server.address });
    expect((await Promise.all([look(), look({ path: "other" })])).map(({ status }) => status)).toEqual([
      "found",
      "found",
    ]);
    expect(await provider.check(soon())).toMatchObject({
      status: "found",
      secret: { account: "123456789012", expiresAt: end.toISOString() },
    });
    await provider.close();
    expect(server.requests.filter(isLogin).length).toBe(1);
    expect(calls[0]).toMatchObject({ call: "login", status: "200" });
    expect(server.requests[1]?.headers.authorization).toContain("Credential=ASIAROLE/");
  });

  it("remembers a role that is refused", async () => {
    const refused = {
      status: 403,
      headers: { "content-type": "text/xml" },
      body: "<ErrorResponse><Error><Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>",
    };
    const { provider, look, server } = await start((request) => (isLogin(request) ? refused : null), {
      profile: "deploy",
    });
    machine({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_ENDPOINT_URL_STS: server.address });
    const answers = [await look(), await look()];
    await provider.close();
    expect(answers).toMatchObject([{ status: "denied" }, { status: "denied" }]);
    expect(JSON.stringify(answers)).not.toContain("canary");
    expect(server.requests.length).toBe(1);
  });

  it("says nothing on standard error, and leaves the environment as it was", async () => {
    const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const logs = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const notice = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";
    machine({ AWS_PROFILE: "base" });
    for (const value of [undefined, "false"]) {
      vi.stubEnv(notice, value);
      const { provider, look } = await start(() => null);
      await look();
      await provider.close();
      expect(process.env[notice]).toBe(value);
    }
    expect(warnings.mock.calls).toEqual([]);
    expect(logs.mock.calls).toEqual([]);
  });

  it("stops when nobody waits any longer", async () => {
    const { provider } = await start(() => ({ status: 500, body: "" }));
    const controller = new AbortController();
    const answer = provider.lookup(
      { path: "db", format: "json" },
      { signal: controller.signal, deadline: Date.now() + 60_000 },
    );
    controller.abort();
    expect((await answer).status).toBe("unavailable");
    await provider.close();
  });
});

describe("options", () => {
  const noKeys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  it.each<[string, Record<string, string | undefined>, AwsSecretsManagerProviderOptions, object]>([
    ["no region", {}, {}, { status: "malformed", hint: "Configure the region, or set AWS_REGION." }],
    [
      "no credentials",
      noKeys,
      { region: "eu-west-1" },
      { status: "denied", reason: expect.stringMatching(/CredentialsProviderError/) },
    ],
    ["a profile that is not there", noKeys, { profile: "none", region: "eu-west-1" }, { status: "denied" }],
  ])("answers where there is %s", async (_, variables, options, expected) => {
    machine(variables);
    const provider = createAwsSecretsManagerProvider(options);
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject(expected);
    await provider.close();
  });

  it("speaks plain http with this machine alone", async () => {
    expect(() => open("http://aws.example")).toThrow(/plain http/);
    machine({ AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://aws.example", AWS_REGION: "eu-west-1" });
    const provider = createAwsSecretsManagerProvider({});
    await expect(provider.lookup({ path: "db", format: "json" }, soon())).rejects.toThrow(/plain http/);
    await provider.close();
  });

  it("come from a configuration", async () => {
    const { provider } = openProvider(
      awsSecretsManagerProvider,
      {
        type: "aws-secrets-manager",
        region: "eu-west-1",
        profile: "base",
        endpoint: "https://aws.example",
        path: "prod/{name}",
      },
      { id: "aws", env: {} },
    );
    expect(provider).toMatchObject({ id: "aws", type: "aws-secrets-manager", capabilities: { versions: true } });
    await provider.close();
    expect(() => openProvider(awsSecretsManagerProvider, { type: "x", regoin: "x" }, { id: "aws", env: {} })).toThrow(
      /regoin/,
    );
  });
});
