import { ROLES } from "@autokestra/secrets";
import { AutokestraError, type Timestamp } from "@autokestra/secrets-core";
import { parseMoment, quoteText } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, collect, defineCommand } from "../command.ts";
import { changeTokens } from "../tokens.ts";

interface CreateOptions {
  readonly role: string;
  readonly prefix?: readonly string[];
  readonly tag?: readonly string[];
  readonly expiresIn?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<name>", "name of the token, such as who uses it")
      .requiredOption("--role <role>", `role: ${Object.keys(ROLES).join(", ")}, or one of the configuration`)
      .option("--prefix <text>", "prefix of the names that it may see; may be repeated [all names]", collect)
      .option("--tag <tag>", "tag of the secrets that it may see; of several, one is enough [all secrets]", collect)
      .option("--expires-in <time>", "time after which it expires, such as 90d [never]"),
  examples: [
    "autokestra tokens create ci --role revealer --prefix CI_ --expires-in 90d",
    "autokestra tokens create backup-report --role reader --json",
  ],
  prints: true,
  run: createToken,
});

/** Makes a token and prints it: the only time that it can be read. */
async function createToken(context: CommandContext, name: string, options: CreateOptions): Promise<void> {
  const { terminal, place } = context;
  const { role, prefix = null, tag = null } = options;
  const roles = { ...ROLES, ...place.defaults?.server.roles };
  if (!Object.hasOwn(roles, role)) {
    throw new AutokestraError("USAGE", `There is no role '${quoteText(role)}'`, {
      hint: `Roles are ${Object.keys(roles).join(", ")}.`,
    });
  }
  const expiresAt = options.expiresIn === undefined ? null : parseExpiresIn(options.expiresIn);
  const { token, metadata } = await changeTokens(
    context,
    "tokens.create",
    async (tokens) => await tokens.create({ name, role, prefixes: prefix, tags: tag, expiresAt }),
  );
  if (terminal.json) terminal.write(`${JSON.stringify({ token, ...metadata })}\n`);
  else terminal.write(`${token}\n`);
  const until = expiresAt === null ? "" : ` It expires at ${expiresAt}.`;
  terminal.note(`note: the token is shown only this once; the store keeps only a hash of it.${until}`);
}

function parseExpiresIn(text: string): Timestamp {
  const expiresAt = parseMoment(text, () => new Date().toISOString());
  if (expiresAt !== null) return expiresAt;
  throw new AutokestraError("USAGE", "--expires-in takes a time", { hint: "Write 90d, 12h or 2027-01-31." });
}
