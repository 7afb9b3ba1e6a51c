import { findUnmaskable } from "@autokestra/engine";
import { parseSecretName, type SecretType } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseWholeNumber } from "../options.ts";
import { readFields } from "../read-fields.ts";
import { toJson } from "../secret-json.ts";

export interface SetOptions {
  readonly type?: SecretType;
  readonly fromFile?: string;
  readonly field?: readonly string[];
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly expiresAt?: string;
  readonly ifVersion?: string;
}

/** Stores a secret: creates it, or its next version. */
export async function setSecret(
  context: CommandContext,
  name: string,
  value: string | undefined,
  options: SetOptions,
): Promise<void> {
  const { terminal } = context;
  parseSecretName(name);
  const ifVersion = options.ifVersion === undefined ? undefined : parseWholeNumber("--if-version", options.ifVersion);
  if (value !== undefined) {
    terminal.warn("warning: a value on the command line is visible in the process list and the shell history");
  }
  await withSecrets(context, true, async (secrets) => {
    const { description, tag: tags, expiresAt, field, fromFile } = options;
    // A new value does not change the type of a secret, unless the person says so.
    const type = options.type ?? (await secrets.describe(name))?.type ?? (field === undefined ? "apiKey" : "custom");
    const fields = await readFields({ type, value, fromFile, field, canAsk: terminal.inputIsTty });
    const input = { name, type, fields, description, tags, expiresAt };
    const metadata = await secrets.set(input, { ifVersion });
    if (metadata.expiresAt !== null && metadata.expiresAt <= new Date().toISOString()) {
      terminal.warn(`warning: '${name}' has expired already, at ${metadata.expiresAt}`);
    }
    for (const unmaskable of findUnmaskable(fields)) {
      terminal.warn(`warning: field ${unmaskable} of '${name}' is too short or too common to be masked in logs`);
    }
    if (terminal.json) terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
    else terminal.note(`Secret '${name}' stored (${type}, version ${metadata.version})`);
  });
}
