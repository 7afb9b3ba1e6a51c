import {
  AutokestraError,
  isIdentifier,
  type SecretEdit,
  type SecretName,
  type SecretService,
} from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { expiredWarning, parseExpiry, parseWholeNumber } from "../options.ts";
import { parseFieldNames, parseNameArgument } from "../rejected-input.ts";
import { toJson } from "../secret-json.ts";

export interface EditOptions {
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly untag?: readonly string[];
  readonly expiresAt?: string;
  readonly publicField?: readonly string[];
  readonly maskField?: readonly string[];
  readonly secretField?: readonly string[];
  readonly ifRevision?: string;
}

/** Changes what is said about a secret. Reads no input and asks nothing. */
export async function editSecret(context: CommandContext, nameText: string, options: EditOptions): Promise<void> {
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
  if (terminal.json) terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
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
    hint: "Give --description, --tag, --untag, --expires-at, --public-field, --mask-field or --secret-field. `autokestra secrets set NAME` stores a new value.",
  });
}
