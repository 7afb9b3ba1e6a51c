import { findUnmaskable } from "@autokestra/engine/internal";
import {
  AutokestraError,
  metadataToJson,
  parseFields,
  type SecretFields,
  type SecretInput,
  type SecretMetadata,
  type SecretName,
  type SecretType,
} from "@autokestra/secrets-core";
import { changePolicy, secrecyOf } from "@autokestra/secrets-core/internal";
import {
  addMetadataOptions,
  type CommandContext,
  type CommandDefinition,
  collect,
  defineCommand,
  type MetadataOptions,
  parseWholeNumber,
  SECRET_NAME,
  toAllow,
  typeOption,
} from "../command.ts";
import { readFields } from "../input/fields.ts";
import type { Terminal } from "../output/terminal.ts";
import { describeEnds, describeParts, describeSize } from "../output/value-shape.ts";
import { parseFieldNames, parseNameArgument } from "../rejected-input.ts";
import { expiredWarning, parseExpiry, withSecrets } from "../secrets.ts";

interface SetOptions extends MetadataOptions {
  readonly type?: SecretType;
  readonly fromFile?: string;
  readonly field?: readonly string[];
  readonly keepExpiry?: boolean;
  readonly allowEmpty?: boolean;
  readonly ifVersion?: string;
}

/** What is stored, after its value was checked. */
interface CheckedInput extends SecretInput {
  readonly fields: SecretFields;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addMetadataOptions(
      parser
        .argument("<name>", SECRET_NAME)
        .argument(
          "[value]",
          "value, or - for standard input; visible in the process list and the shell history, better left out",
        )
        .addOption(typeOption(parser, "type of the secret"))
        .option("--from-file <file>", "path of a file with the value, or - for standard input")
        .option(
          "--field <k=v>",
          "field; k=@<file> reads a file, k=- standard input, k=@@<text> is text that begins with @; may be repeated",
          collect,
        ),
      { description: "", tag: "tag, instead of the stored ones", expiresAt: ", or seconds since 1970" },
    )
      .option("--keep-expiry", "current expiry for the new value as well")
      .option("--allow-empty", "empty password of a basicAuth secret, which is refused otherwise")
      .option("--if-version <n>", "version that must be the current one; 0 for a secret that must not exist"),
  examples: [
    "pass show github | autokestra secrets set GITHUB_TOKEN --expires-at 2027-01-31",
    "autokestra secrets set DB --type basicAuth --field username=ada --field password=-",
  ],
  run: setSecret,
});

/** Stores a value: a new secret, or the next version of one. */
async function setSecret(
  context: CommandContext,
  nameText: string,
  value: string | undefined,
  options: SetOptions,
): Promise<void> {
  const name = parseNameArgument(nameText);
  const ifVersion = parseWholeNumber("--if-version", options.ifVersion);
  if (options.keepExpiry && options.expiresAt !== undefined) {
    throw new AutokestraError("USAGE", "Give either --expires-at or --keep-expiry");
  }
  // The value comes first: typing it keeps no other process waiting, and a refused value leaves no store behind.
  const input = await readInput(context, name, value, options);
  await withSecrets(context, true, async (secrets) => {
    const before = await secrets.find(name);
    const metadata = await secrets.set(input, { ifVersion, keepType: options.type === undefined });
    report(context, input, { before, metadata });
  });
}

async function readInput(
  context: CommandContext,
  name: SecretName,
  value: string | undefined,
  options: SetOptions,
): Promise<CheckedInput> {
  const { description, tag: tags, keepExpiry, allowEmpty, field, fromFile } = options;
  const expiresAt = parseExpiry(name, options.expiresAt);
  const publicFields = parseFieldNames("--public-field", options.publicField);
  const maskFields = parseFieldNames("--mask-field", options.maskField);
  const allow = toAllow(options);
  if (allow !== undefined) changePolicy(name, null, allow);
  // A new value keeps the type of the secret, unless --type changes it.
  const type = options.type ?? (await storedType(context, name)) ?? (field === undefined ? "apiKey" : "custom");
  const canAsk = context.terminal.inputIsTty;
  const given = await readFields({ name, type, value, fromFile, field, publicFields, maskFields, canAsk });
  if (given.shown.length > 0) {
    const what = value === undefined ? `the value of --field ${given.shown.join(" and ")}` : "a value";
    context.terminal.warn(`warning: ${what} on the command line is visible in the process list and the shell history`);
  }
  const fields = parseFields(name, type, given.fields, () => new Date().toISOString(), false, allowEmpty);
  return { name, type, fields, description, tags, expiresAt, keepExpiry, allowEmpty, publicFields, maskFields, allow };
}

async function storedType(context: CommandContext, name: SecretName): Promise<SecretType | undefined> {
  return await withSecrets(context, false, async (secrets) => (await secrets.find(name))?.type);
}

/** A change of a secret. */
interface Change {
  readonly before: SecretMetadata | null;
  readonly metadata: SecretMetadata;
}

function report({ terminal }: CommandContext, input: CheckedInput, { before, metadata }: Change): void {
  const { name, type, version, expiresAt } = metadata;
  const dropped = before?.expiresAt ?? null;
  if (dropped !== null && expiresAt === null) {
    terminal.note(`note: the expiry ${dropped} of '${name}' is dropped; --keep-expiry keeps it`);
  }
  const expired = expiredWarning(name, expiresAt);
  if (expired !== null) terminal.warn(expired);
  for (const field of unmaskableFields(input)) {
    terminal.warn(`warning: field ${field} of '${name}' is too short or too common to be masked in logs`);
  }
  for (const [field, text] of textsOf(input.fields)) {
    const ends = describeEnds(text);
    if (ends !== null) terminal.note(`note: field ${field} of '${name}' ${ends}`);
  }
  notePartsOf(terminal, input);
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' stored (${type}, version ${version}): ${describeShape(input.fields)}`);
}

/** Says which parts of a structured value are masked on their own, because programs show such parts alone. */
function notePartsOf(terminal: Terminal, input: CheckedInput): void {
  const masked = maskedFields(input);
  for (const [field, text] of textsOf(input.fields)) {
    const parts = masked.has(field) ? describeParts(text) : null;
    if (parts !== null)
      terminal.note(`note: in field '${field}' of '${input.name}' these parts are masked on their own, too: ${parts}`);
  }
}

/** `1 line, 27 characters`; with the names of the fields if there are several. */
function describeShape(fields: SecretFields): string {
  const texts = textsOf(fields);
  return texts
    .map(([field, text]) => (texts.length === 1 ? describeSize(text) : `${field} ${describeSize(text)}`))
    .join("; ");
}

/** Every field as one text. */
function textsOf(fields: SecretFields): readonly (readonly [string, string])[] {
  return Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "object" ? value.join(" ") : String(value),
  ]);
}

/** Fields that should be masked and cannot be. */
function unmaskableFields(input: CheckedInput): readonly string[] {
  const masked = maskedFields(input);
  return findUnmaskable(input.fields).filter((field) => masked.has(field));
}

function maskedFields({ type, fields, publicFields = [], maskFields = [] }: CheckedInput): ReadonlySet<string> {
  const secrecy = secrecyOf(type, fields, { public: publicFields, masked: maskFields });
  return new Set(secrecy.filter((field) => field.masked).map((field) => field.name));
}
