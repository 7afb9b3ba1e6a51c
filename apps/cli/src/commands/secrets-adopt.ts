import { constants } from "node:fs";
import { open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import type { Adoption, AdoptOptions, ParsedWorkflow } from "@autokestra/engine";
import { type ImportOutcome, importSecrets } from "@autokestra/secrets";
import { AutokestraError, type SecretService } from "@autokestra/secrets-core";
import { errorCode, plural, quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, collect, defineCommand } from "../command.ts";
import { addForceOptions, checkCanAsk, type ForceOptions } from "../confirmation.ts";
import { EXIT } from "../exit.ts";
import { USE_HINTS } from "../hints.ts";
import { shownInput } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface Options extends ForceOptions {
  readonly dryRun?: boolean;
  /** Each one is `PROPOSED=NAME`. */
  readonly name?: readonly string[];
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addForceOptions(
      parser
        .argument("<file>", "path of the workflow file")
        .option("--dry-run", "changes that would be made, without making them")
        .option("--name <proposed=name>", "name for a secret instead of the proposed one; may be repeated", collect),
    ),
  examples: [
    "autokestra secrets adopt deploy.yaml --dry-run",
    "autokestra secrets adopt deploy.yaml --name FETCH_BEARER=GITHUB_TOKEN",
  ],
  run: adopt,
});

/** Moves the credentials of a workflow file into the store, after showing the changes. Returns the exit code. */
async function adopt(context: CommandContext, file: string, options: Options): Promise<number> {
  const { terminal } = context;
  const { dryRun = false, yes = false, force = yes } = options;
  if (!force && !dryRun) checkCanAsk(terminal, "change the file", USE_HINTS.forceOrDryRun);
  const { allPlugins, loadWorkflow } = await import("../workflows.ts");
  const parsed = await loadWorkflow(file);
  const names = parseNames(options.name ?? []);
  const plugins = await allPlugins(context);
  return await withSecrets(context, !dryRun, async (secrets) => {
    const { adoption, outcome } = await plan(secrets, parsed, { names, plugins });
    const isChanged = adoption.secrets.length > 0;
    if (isChanged && !terminal.json) terminal.write(await formatChange(file, adoption));
    for (const { message } of adoption.left) terminal.warn(`warning: ${message}`);
    for (const { name, reason } of outcome.failed) terminal.warn(`error: ${name}: ${reason}`);
    if (outcome.failed.length > 0) return EXIT.failed;
    const isWritten = isChanged && !dryRun && (force || (await isConfirmed(file, adoption)));
    if (isWritten) {
      const { failed } = await importSecrets(secrets, entriesOf(adoption), STORE);
      if (failed.length > 0) throw new AutokestraError("VERSION_CONFLICT", "The secrets have changed meanwhile");
      await replaceFile(file, parsed.source, adoption.source);
    }
    if (terminal.json) terminal.write(`${JSON.stringify(toJson(file, adoption, isWritten))}\n`);
    terminal.note(summary(file, adoption, isWritten));
    return EXIT.done;
  });
}

const STORE = { onConflict: "fail", rename: false, dryRun: false } as const;

/** Chooses names that are free, or that have the same value already. A name that a person gave is never changed. */
async function plan(
  secrets: SecretService,
  parsed: ParsedWorkflow,
  { names, plugins }: Required<Pick<AdoptOptions, "names" | "plugins">>,
): Promise<{ readonly adoption: Adoption; readonly outcome: ImportOutcome }> {
  const { adoptCredentials } = await import("../workflows.ts");
  const taken = new Set<string>();
  const given = new Set(names.values());
  for (;;) {
    const adoption = adoptCredentials(parsed, { taken, names, plugins });
    const outcome = await importSecrets(secrets, entriesOf(adoption), { ...STORE, dryRun: true });
    const others = outcome.failed.filter(({ name }) => !given.has(name));
    if (others.length === 0) return { adoption, outcome };
    for (const { name } of others) taken.add(name);
  }
}

function entriesOf({ secrets }: Adoption): Parameters<typeof importSecrets>[1] {
  return secrets.map(({ name, value }) => ({
    name,
    type: "apiKey",
    fields: { value },
    createdAt: null,
    updatedAt: null,
  }));
}

function parseNames(options: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    options.map((option) => {
      const at = option.indexOf("=");
      if (at > 0 && at < option.length - 1) return [option.slice(0, at), option.slice(at + 1)] as const;
      throw new AutokestraError("USAGE", `--name takes PROPOSED=NAME, not '${shownInput(option)}'`);
    }),
  );
}

async function isConfirmed(file: string, { secrets }: Adoption): Promise<boolean> {
  const { confirmOrExit } = await import("../input/prompt.ts");
  return await confirmOrExit(`Store ${plural(secrets.length, "secret")} and change ${quotePath(file)}?`);
}

async function formatChange(file: string, { shown }: Adoption): Promise<string> {
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import("diff");
  const { before, after } = shown;
  return createTwoFilesPatch(file, file, before, after, "", "", { headerOptions: FILE_HEADERS_ONLY });
}

/** Replaces the file in one step, if it still is what was read. It keeps its mode; a link keeps pointing at it. */
async function replaceFile(file: string, before: string, after: string): Promise<void> {
  const path = await realpath(file);
  const temporary = `${path}.${process.pid}.draft`;
  try {
    const { mode } = await stat(path);
    const handle = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      await handle.writeFile(after);
      await handle.chmod(mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if ((await readFile(path, "utf8")) !== before) {
      throw new AutokestraError("VERSION_CONFLICT", `${quotePath(file)} has changed meanwhile and was not written`);
    }
    await rename(temporary, path);
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    throw new AutokestraError("STORE_UNAVAILABLE", `${quotePath(file)} cannot be written (${errorCode(error)})`);
  } finally {
    await rm(temporary, { force: true });
  }
}

function summary(file: string, { secrets }: Adoption, isWritten: boolean): string {
  if (secrets.length === 0) return `No credentials in ${quotePath(file)} to take over`;
  const names = secrets.map(({ name }) => name).join(", ");
  if (!isWritten) return "Nothing was stored or changed";
  const advice =
    "They were in plain text: if anybody else could read the file or its history, replace them at their services";
  return `Stored: ${names}. Changed: ${quotePath(file)}. ${advice}`;
}

function toJson(file: string, { secrets, left }: Adoption, isWritten: boolean): object {
  const adopted = secrets.map(({ name, places }) => ({ name, places }));
  return { file, changed: isWritten, secrets: adopted, left };
}
