import { parseSecretName } from "@autokestra/secrets-core";
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startMoto } from "../../../scripts/servers.mjs";
import { createAwsSecretsManagerProvider } from "../src/aws-secrets-manager.ts";
import { createProviderSource } from "../src/index.ts";
import { secretProviderContract } from "../src/testing/index.ts";
import { soon } from "./soon.ts";

const moto = await startMoto();
const region = "eu-central-1";
const keys = { accessKeyId: "any", secretAccessKey: "canary-key" };
vi.stubEnv("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true");
const admin = new SecretsManagerClient({ region, endpoint: moto.endpoint, credentials: keys });
afterAll(async () => {
  admin.destroy();
  await moto.close();
});
beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", keys.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", keys.secretAccessKey);
});

const open = () => createAwsSecretsManagerProvider({ region, endpoint: moto.endpoint });
const put = async (Name: string, value: { SecretString?: string; SecretBinary?: Uint8Array }) =>
  await admin.send(new CreateSecretCommand({ Name, ...value }));

/** Sends a request of our own. Once it stands in the log of moto, so does everything that was asked before. */
async function mark(path: string): Promise<string> {
  await fetch(moto.endpoint + path);
  await expect.poll(moto.output).toContain(`GET ${path} HTTP`);
  return path;
}

/** What moto was asked, from its own log. */
async function log(run: () => Promise<unknown>): Promise<string[]> {
  const begin = await mark("/begin");
  await run();
  const end = await mark("/end");
  const output = moto.output();
  const asked = output.slice(output.indexOf(begin), output.indexOf(end)).matchAll(/"(\w+ \S+) HTTP\/[\d.]+" (\d+)/g);
  return [...asked].map(([, what, status]) => `${what} ${status}`);
}

const VALUE = '{"user":"u","password":"p\\u00e4ss"}';
await put("prod/db", { SecretString: VALUE });
await put("binary", { SecretBinary: Buffer.from("line\n") });
await put("deleted", { SecretString: "gone" });
await admin.send(new DeleteSecretCommand({ SecretId: "deleted", RecoveryWindowInDays: 7 }));
await put("rotated", { SecretString: "old" });
const { VersionId: newVersion } = await admin.send(
  new PutSecretValueCommand({ SecretId: "rotated", SecretString: "new" }),
);

describe("the contract, with moto", () => {
  secretProviderContract({ it, expect, open, stored: { path: "prod/db", value: VALUE }, missing: "none" });
});

describe("moto", () => {
  async function ask(path: string, version?: string) {
    const provider = open();
    const answer = await provider.lookup({ path, version, format: "json" }, soon());
    await provider.close();
    return answer;
  }

  it("gives what the SDK of AWS reads itself", async () => {
    const read = await admin.send(new GetSecretValueCommand({ SecretId: "prod/db" }));
    expect(await ask("prod/db")).toEqual({
      status: "found",
      secret: { value: read.SecretString, version: read.VersionId },
    });
  });

  it("gives several as the SDK of AWS reads them itself", async () => {
    const SecretIdList = ["prod/db", "rotated"];
    const { SecretValues = [] } = await admin.send(new BatchGetSecretValueCommand({ SecretIdList }));
    const provider = open();
    const answers = await provider.lookupMany?.(
      SecretIdList.map((path) => ({ path, format: "json" })),
      soon(),
    );
    await provider.close();
    const byName = new Map(
      SecretValues.map(({ Name, SecretString, VersionId }) => [Name, { value: SecretString, version: VersionId }]),
    );
    expect(answers).toEqual(SecretIdList.map((name) => ({ status: "found", secret: byName.get(name) })));
  });

  it("gives bytes, and the versions of before", async () => {
    expect(await ask("binary")).toMatchObject({ status: "found", secret: { value: "line\n" } });
    expect(await ask("rotated")).toMatchObject({ status: "found", secret: { value: "new", version: newVersion } });
    expect(await ask("rotated", "AWSPREVIOUS")).toMatchObject({ status: "found", secret: { value: "old" } });
    expect(await ask("rotated", newVersion)).toMatchObject({ status: "found", secret: { value: "new" } });
  });

  it("does not find what never existed, is deleted, or has no such version", async () => {
    expect(await ask("none")).toMatchObject({ status: "notFound", reason: expect.stringMatching(/there is none/) });
    expect(await ask("deleted")).toMatchObject({ status: "notFound", reason: expect.stringMatching(/deletion/) });
    expect(await ask("prod/db", "AWSPREVIOUS")).toMatchObject({ status: "notFound" });
  });

  it("is asked once for all names of a run", async () => {
    const provider = open();
    const source = createProviderSource(provider);
    const bound = (path: string) => ({ binding: { source: provider.id, path } });
    const names = ["prod/db", "none", "rotated", "binary"];
    const asked = await log(async () => {
      const answers = await Promise.all(
        names.map(async (path) => await source.lookup(parseSecretName("DB"), bound(path))),
      );
      expect(answers.map(({ status }) => status)).toEqual(["found", "notFound", "found", "found"]);
    });
    await provider.close();
    expect(asked).toEqual(["POST / 200"]);
  });

  it("is asked for no secret by a check", async () => {
    const provider = open();
    expect(await provider.check(soon())).toMatchObject({ status: "found" });
    await provider.close();
  });
});
