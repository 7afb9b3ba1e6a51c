import {
  AutokestraError,
  isIdentifier,
  metadataToJson,
  type SecretEdit,
  type SecretName,
  type SecretService,
} from "@autokestra/secrets-core";
import {
  type CommandContext,
  type CommandDefinition,
  collect,
  defineCommand,
  parseWholeNumber,
  SECRET_NAME,
} from "../command.ts";
import { USE_HINTS } from "../hints.ts";
import { parseFieldNames, parseNameArgument } from "../rejected-input.ts";
import { expiredWarning, parseExpiry, withSecrets } from "../secrets.ts";

interface EditOptions {
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly untag?: readonly string[];
  readonly expiresAt?: string;
  readonly publicField?: readonly string[];
  readonly maskField?: readonly string[];
  readonly secretField?: readonly string[];
  readonly ifRevision?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<name>", SECRET_NAME)
      .option("--description <text>", "what the secret is for; an empty text removes it")
      .option("--tag <tag>", "tag to add; may be repeated", collect)
      .option("--untag <tag>", "tag to remove; may be repeated", collect)
      .option(
        "--expires-at <when>",
        "expiry: a date, a time with an offset, 90d, `in 2 weeks`, seconds since 1970, or `never`",
      )
      .option("--public-field <field>", "field that is encrypted, but shown and not masked; may be repeated", collect)
      .option("--mask-field <field>", "field that is masked wherever it appears; may be repeated", collect)
      .option("--secret-field <field>", "field that is as secret as its type says again; may be repeated", collect)
      .option("--if-revision <n>", "revision that must be stored now"),
  examples: [
    "autokestra secrets edit GITHUB_TOKEN --tag production --untag test",
    "autokestra secrets edit DB --expires-at never --public-field username",
  ],
  run: editSecret,
});

/** Changes what is said about a secret. Reads no input and asks nothing. */
async function editSecret(context: CommandContext, nameText: string, options: EditOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  if (Object.keys(options).every((option) => option === "ifRevision")) throw nothingToChange();
  const ifRevision =
    options.ifRevision === undefined ? undefined : parseWholeNumber("--if-revision", options.ifRevision);
  const metadata = await withSecrets(context, false, async (secrets) => {
    const change = toChange(name, options, await importedNames(secrets, name, options));
    return await secrets.edit(name, change, { ifRevision });
  });
  const expired = options.expiresAt === undefined ? null : expiredWarning(name, metadata.expiresAt);
  if (expired !== null) terminal.warn(expired);
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' changed (version ${metadata.version}, revision ${metadata.revision})`);
}

/** The names of fields, where one is given that only an import can have brought. */
async function importedNames(
  secrets: SecretService,
  name: SecretName,
  { publicField = [], maskField = [], secretField = [] }: EditOptions,
): Promise<readonly string[]> {
  if ([...publicField, ...maskField, ...secretField].every(isIdentifier)) return [];
  return (await secrets.describe(name)).fields.map((field) => field.name);
}

function toChange(
  name: SecretName,
  { description, tag, untag, expiresAt, ...options }: EditOptions,
  fields: readonly string[],
): SecretEdit {
  return {
    description: description === "" ? null : description,
    addTags: tag,
    removeTags: untag,
    expiresAt: parseExpiry(name, expiresAt),
    publicFields: parseFieldNames("--public-field", options.publicField, fields),
    maskFields: parseFieldNames("--mask-field", options.maskField, fields),
    secretFields: parseFieldNames("--secret-field", options.secretField, fields),
  };
}

function nothingToChange(): AutokestraError {
  return new AutokestraError("USAGE", "Nothing to change was given", {
    hint: USE_HINTS.whatToEdit,
  });
}
