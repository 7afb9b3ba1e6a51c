import type { FieldSecrecy, SecretDescription, SecretMetadata } from "@autokestra/secrets-core";
import { metadataToJson } from "@autokestra/secrets-core";
import { allowedTaskTypes, type FieldValue, readPolicy } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { printTable } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<name>", SECRET_NAME),
  examples: ["autokestra secrets describe DB", "autokestra secrets describe DB --json"],
  prints: true,
  run: describeSecret,
});

/** Shows a secret without its hidden values: lines and tables for people, tab-separated for pipes, or JSON. */
async function describeSecret(context: CommandContext, nameText: string): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const description = await withSecrets(context, false, async (secrets) => await secrets.describe(name));
  if (terminal.json) terminal.write(`${JSON.stringify(toFullJson(description))}\n`);
  else await print(terminal, description);
}

/** The keys that `list` prints, and more. */
function toFullJson({ metadata, fields, publicFields, versions }: SecretDescription): object {
  return {
    ...metadataToJson(metadata),
    revision: metadata.revision,
    fields: fields.map(({ name, public: isPublic, masked }) => ({ name, public: isPublic, masked })),
    publicFields,
    versions: versions.map(({ version, updatedAt }) => ({ version, createdAt: updatedAt })),
  };
}

async function print(
  terminal: Terminal,
  { metadata, fields, publicFields, versions }: SecretDescription,
): Promise<void> {
  const values = new Map(Object.entries(publicFields));
  const fieldRows = fields.map((field) => [
    oneLine(field.name),
    secrecyInWords(field),
    showValue(values.get(field.name)),
  ]);
  const versionRows = versions.map(({ version, updatedAt }) => [String(version), updatedAt]);
  if (!terminal.outputIsTty) {
    const rows = [
      ...metadataRows(metadata),
      ...fieldRows.map((row) => ["field", ...row]),
      ...versionRows.map((row) => ["version", ...row]),
    ];
    await printTable(terminal, [], rows);
    return;
  }
  for (const [label = "", value] of metadataRows(metadata)) terminal.write(`${label.padEnd(13)}${value}\n`);
  terminal.write("\n");
  await printTable(terminal, ["FIELD", "SECRECY", "VALUE"], fieldRows);
  terminal.write("\n");
  await printTable(terminal, ["VERSION", "CREATED"], versionRows);
}

function metadataRows(metadata: SecretMetadata): string[][] {
  const { id, name, type, description, tags, version, revision, createdAt, updatedAt, expiresAt } = metadata;
  return [
    ["name", name],
    ["id", id],
    ["type", type],
    ["description", description ?? ""],
    ["tags", tags.join(",")],
    ["version", String(version)],
    ["revision", String(revision)],
    ["created", createdAt],
    ["updated", updatedAt],
    ["expires", expiresAt ?? "never"],
    ...allowRows(metadata),
  ];
}

/** Who may use it; no row for a rule that it does not have. */
function allowRows({ name, policy }: SecretMetadata): string[][] {
  const allow = readPolicy(name, policy);
  const rows = [
    ["workflows", allow.workflows],
    ["task types", allowedTaskTypes(allow)],
    ["hosts", allow.hosts],
  ] as const;
  return rows.flatMap(([label, items]) => (items.length === 0 ? [] : [[label, items.join(",")]]));
}

function secrecyInWords({ public: isPublic, masked }: FieldSecrecy): string {
  if (isPublic) return "public";
  return masked ? "secret" : "secret, masked inside credentials only";
}

function showValue(value: FieldValue | undefined): string {
  return oneLine(typeof value === "object" ? value.join(" ") : String(value ?? ""));
}

/** Escapes everything that a terminal would act on, on one line. */
function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`);
}
