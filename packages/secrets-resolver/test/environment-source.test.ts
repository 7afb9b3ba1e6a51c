import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSecretName, type SourceAnswer } from "@autokestra/secrets-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEnvironmentSource } from "../src/index.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "autokestra-env-"));
  await writeFile(join(folder, "value"), "from file\r\n");
  await writeFile(join(folder, "empty"), "\n");
  await writeFile(join(folder, "binary"), Buffer.from([0xff, 0xfe, 0x00]));
  await writeFile(join(folder, "bom"), "\ufeffv");
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function ask(name: string, env: NodeJS.ProcessEnv): Promise<SourceAnswer> {
  return await createEnvironmentSource(env).lookup(parseSecretName(name));
}

function found(value: string): SourceAnswer {
  return { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
}

describe("createEnvironmentSource", () => {
  it("takes the variable before the file, and an empty variable for none", async () => {
    const NAME_FILE = join(folder, "value");
    expect(await ask("NAME", { NAME: " v\n", NAME_FILE })).toEqual(found(" v\n"));
    expect(await ask("NAME", { NAME: "", NAME_FILE })).toEqual(found("from file"));
    expect(await ask("NAME", { NAME: "" })).toMatchObject({ status: "notFound" });
    expect(await ask("name", { NAME: "v" })).toMatchObject({ status: "notFound" });
    expect(await ask("NAME", { NAME_FILE: join(folder, "bom") })).toEqual(found("\ufeffv"));
  });

  it.each([
    ["empty", "malformed"],
    ["binary", "malformed"],
    ["gone", "unavailable"],
    [".", "unavailable"],
  ])("answers for the file %s: %s", async (file, status) => {
    const answer = await ask("NAME", { NAME_FILE: join(folder, file) });
    expect(answer).toMatchObject({ status, reason: expect.stringContaining("NAME_FILE") });
  });

  it.each([
    "AUTOKESTRA_SECRET_KEY",
    "WORKFLOW_X",
    "VAULT_TOKEN",
    "BAO_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_CLIENT_SECRET",
    "OP_SERVICE_ACCOUNT_TOKEN",
    "NODE_OPTIONS",
    "npm_config_token",
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    ..."PATH HOME USER LOGNAME SHELL PWD OLDPWD TMPDIR HOSTNAME TERM LANG".split(" "),
  ])("never gives %s", async (name) => {
    expect(await ask(name, { [name]: "v", [`${name}_FILE`]: join(folder, "value") })).toMatchObject({
      status: "notFound",
    });
  });

  it.each(["toString", "valueOf", "hasOwnProperty"])("does not take %s from the object itself", async (name) => {
    expect(await ask(name, {})).toMatchObject({ status: "notFound" });
  });

  it.each(["NPM_TOKEN", "MY_PATH", "HOMEPAGE", "aws_key", "OPENAI_API_KEY"])("gives %s", async (name) => {
    expect(await ask(name, { [name]: "v" })).toEqual(found("v"));
  });
});

describe("KP7: what the environment says of a name that it does not have", () => {
  it.each([
    ["TOKEN", {}, "The environment has no variable TOKEN and no TOKEN_FILE."],
    [
      "AWS_SECRET_ACCESS_KEY",
      { AWS_SECRET_ACCESS_KEY: "canary" },
      "The variable AWS_SECRET_ACCESS_KEY is set, and is never taken as a secret: names that begin with AWS_ belong to other programs.",
    ],
    [
      "AWS_X",
      {},
      "The variable AWS_X is never taken as a secret: names that begin with AWS_ belong to other programs.",
    ],
    [
      "HOME",
      { HOME: "/canary" },
      "The variable HOME is set, and is never taken as a secret: it belongs to the system.",
    ],
  ])("%s", async (name, env, reason) => expect(await ask(name, env)).toEqual({ status: "notFound", reason }));
});
