import { readFile } from "node:fs/promises";
import type { SourceFailure } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { denied, quoteLong } from "./answers.ts";
import type { LoginToken } from "./login.ts";

/** Where an existing token comes from. */
export interface TokenOptions {
  readonly token?: string | undefined;
  /** The name of the environment variable with the token. */
  readonly tokenEnv?: string | undefined;
  /** The path of the file with the token. One newline at its end is removed. */
  readonly tokenFile?: string | undefined;
}

/** The schema of {@link TokenOptions} in a configuration. */
export const tokenShape: {
  token: z.ZodExactOptional<z.ZodString>;
  tokenEnv: z.ZodExactOptional<z.ZodString>;
  tokenFile: z.ZodExactOptional<z.ZodString>;
} = {
  token: z.string().exactOptional(),
  tokenEnv: z.string().exactOptional(),
  tokenFile: z.string().exactOptional(),
};

/** Reads an existing token. Use it as the `logIn` of `createLogin`. */
export async function readToken(options: TokenOptions, env: NodeJS.ProcessEnv): Promise<LoginToken | SourceFailure> {
  const { token, tokenEnv, tokenFile } = options;
  if (tokenFile !== undefined) return await readTokenFile(tokenFile);
  const value = token ?? (tokenEnv === undefined ? undefined : env[tokenEnv]);
  if (value) return checkToken(value, tokenEnv === undefined ? "the token" : `the token in ${tokenEnv}`);
  return denied(tokenEnv === undefined ? "there is no token" : `there is no token in ${tokenEnv}`, "Give it one.");
}

async function readTokenFile(path: string): Promise<LoginToken | SourceFailure> {
  try {
    const text = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
    return checkToken(text, `the token in ${quoteLong(path)}`);
  } catch (error) {
    return denied(`the token file ${quoteLong(path)} cannot be read (${errorCode(error) || "unknown error"})`);
  }
}

/** Checks that a token can be sent in a header. Otherwise the error of a library would quote it. */
function checkToken(token: string, what: string): LoginToken | SourceFailure {
  return /^[\x21-\x7e]+$/.test(token) ? { token } : denied(`${what} is empty, or holds a space or a line break`);
}
