import {
  AutokestraError,
  metadataToJson,
  type SecretFilter,
  type SecretMetadata,
  type SecretType,
} from "@autokestra/secrets-core";
import { parseMoment, quotePath, TIME_EXAMPLES } from "@autokestra/secrets-core/internal";
import {
  type CommandContext,
  type CommandDefinition,
  collect,
  defineCommand,
  parseWholeNumber,
  typeOption,
} from "../command.ts";
import { printTable } from "../output/table.ts";
import { shownPath } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface ListOptions {
  readonly type?: SecretType;
  readonly tag?: readonly string[];
  readonly prefix?: string;
  readonly expiresBefore?: string;
  readonly deleted?: boolean;
  readonly limit?: string;
  readonly after?: string;
  readonly afterId?: string;
}

const HEADER = ["NAME", "TYPE", "VERSION", "UPDATED", "EXPIRES", "TAGS", "DESCRIPTION"];
/** With ids, because the names of deleted secrets may not be unique. */
const DELETED_HEADER = [...HEADER, "DELETED", "ID"];

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .addOption(typeOption(parser, "type of the secrets"))
      .option("--tag <tag>", "tag that the secrets have; may be repeated", collect)
      .option("--prefix <text>", "prefix of the names")
      .option("--expires-before <when>", "time before which the secrets expire, such as 2027-01-31 or 90d")
      .option("--deleted", "deleted secrets that can be restored, with their ids")
      .option("--limit <n>", "maximum number of secrets")
      .option("--after <name>", "name to start after (the last one of the previous page)")
      .option("--after-id <id>", "id to start after, if several deleted secrets have the name of --after"),
  examples: [
    "autokestra secrets list --tag production --expires-before 2027-01-31",
    "autokestra secrets list --deleted --json",
  ],
  prints: true,
  run: listSecrets,
});

/** Lists metadata: a table for people, tab-separated for pipes, or JSON. */
async function listSecrets(context: CommandContext, options: ListOptions): Promise<void> {
  const { terminal } = context;
  const filter = toFilter(options);
  const isDeleted = options.deleted === true;
  const { secrets, folder } = await withSecrets(context, false, async (store, place) => {
    return { secrets: await store.list(filter), folder: place };
  });
  if (terminal.json) return terminal.write(`${JSON.stringify(secrets.map(metadataToJson))}\n`);
  if (secrets.length === 0) return terminal.note(`No secrets found\nhint: Looked in ${quotePath(shownPath(folder))}.`);
  await printTable(terminal, isDeleted ? DELETED_HEADER : HEADER, secrets.map(isDeleted ? toDeletedRow : toRow));
}

function toFilter({ type, tag, prefix, deleted, after, afterId, ...texts }: ListOptions): SecretFilter {
  const expiresBefore =
    texts.expiresBefore === undefined ? undefined : parseMoment(texts.expiresBefore, () => new Date().toISOString());
  if (expiresBefore === null) {
    throw new AutokestraError("USAGE", "--expires-before takes a time", {
      hint: `Write ${TIME_EXAMPLES}.`,
    });
  }
  if (afterId !== undefined && after === undefined) {
    throw new AutokestraError("USAGE", "--after-id goes with --after", { hint: "Give the name of that secret too." });
  }
  const limit = parseWholeNumber("--limit", texts.limit);
  return { type, tags: tag, prefix, expiresBefore, state: deleted ? "deleted" : "active", limit, after, afterId };
}

function toRow({ name, type, version, updatedAt, expiresAt, tags, description }: SecretMetadata): string[] {
  return [name, type, String(version), updatedAt, expiresAt ?? "", tags.join(","), description ?? ""];
}

function toDeletedRow(secret: SecretMetadata): string[] {
  return [...toRow(secret), secret.deletedAt ?? "", secret.id];
}
