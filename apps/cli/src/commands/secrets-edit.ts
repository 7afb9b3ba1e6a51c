import {
  AutokestraError,
  metadataToJson,
  type SecretEdit,
  type SecretName,
  type SecretService,
} from "@autokestra/secrets-core";
import { isIdentifier } from "@autokestra/secrets-core/internal";
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
} from "../command.ts";
import { USE_HINTS } from "../hints.ts";
import { parseFieldNames, parseNameArgument } from "../rejected-input.ts";
import { expiredWarning, parseExpiry, withSecrets } from "../secrets.ts";

interface EditOptions extends MetadataOptions {
  readonly untag?: readonly string[];
  readonly secretField?: readonly string[];
  readonly ifRevision?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addMetadataOptions(parser.argument("<name>", SECRET_NAME), {
      description: "; an empty text removes it",
      tag: "tag to add",
      expiresAt: ", seconds since 1970, or `never`",
    })
      .option("--untag <tag>", "tag to remove; may be repeated", collect)
      .option("--secret-field <field>", "field to reset to the secrecy of its type; may be repeated", collect)
      .option("--if-revision <n>", "revision that must be the current one"),
  examples: [
    "autokestra secrets edit GITHUB_TOKEN --tag production --untag test",
    "autokestra secrets edit DB --expires-at never --public-field username",
  ],
  run: editSecret,
});

/** Changes a secret without its value. Reads no input and asks nothing. */
async function editSecret(context: CommandContext, nameText: string, options: EditOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  if (Object.keys(options).every((option) => option === "ifRevision")) throw nothingToChange();
  const ifRevision = parseWholeNumber("--if-revision", options.ifRevision);
  const metadata = await withSecrets(context, false, async (secrets) => {
    const change = toChange(name, options, await importedNames(secrets, name, options));
    return await secrets.edit(name, change, { ifRevision });
  });
  const expired = options.expiresAt === undefined ? null : expiredWarning(name, metadata.expiresAt);
  if (expired !== null) terminal.warn(expired);
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' changed (version ${metadata.version}, revision ${metadata.revision})`);
}

/** The names of the fields, if an option gives one that only an import can have created. */
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
    allow: toAllow(options),
    maskFields: parseFieldNames("--mask-field", options.maskField, fields),
    secretFields: parseFieldNames("--secret-field", options.secretField, fields),
  };
}

function nothingToChange(): AutokestraError {
  return new AutokestraError("USAGE", "No change was given", {
    hint: USE_HINTS.whatToEdit,
  });
}
