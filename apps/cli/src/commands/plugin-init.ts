import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath } from "@autokestra/secrets-core/internal";
import manifest from "../../package.json" with { type: "json" };
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { pluginFiles } from "../plugin-template.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<name>", "name of the plugin: namespace/plugin, such as acme/mail")
      .option("--dir <folder>", "folder of the plugin [plugin- and the second part of the name]"),
  examples: ["autokestra plugin init acme/mail", "autokestra plugin init acme/mail --dir plugins/mail"],
  run: init,
});

/** As `definePlugin` takes it, and short enough for a package. */
const NAME = /^[a-z0-9-]{1,80}\/[a-z0-9-]{1,80}$/;

/** Writes all files of a plugin, or none if one of them is there. */
async function init({ terminal }: CommandContext, name: string, options: { readonly dir?: string }): Promise<void> {
  if (!NAME.test(name) || name.startsWith("core/")) {
    throw new AutokestraError("NAME_INVALID", "The name of a plugin is namespace/plugin, with a-z, 0-9 and -", {
      hint: "For example acme/mail. The namespace 'core' is taken.",
    });
  }
  const folder = options.dir ?? `plugin-${name.slice(name.indexOf("/") + 1)}`;
  const files = Object.entries(pluginFiles(name, manifest.version));
  const taken = files.map(([file]) => join(folder, file)).find(exists);
  if (taken !== undefined) throw fileExists(taken);
  for (const [file, text] of files) writeNew(join(folder, file), text);
  if (terminal.json) terminal.write(`${JSON.stringify({ folder, files: files.map(([file]) => file) })}\n`);
  else terminal.write(`${files.map(([file]) => join(folder, file)).join("\n")}\n`);
  terminal.note(`note: in ${quotePath(folder)}, "npm install" and "npm test" try it; its README.md says how to use it`);
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function writeNew(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Fails where another process was faster.
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") throw fileExists(path);
    throw new AutokestraError("OPTION_INVALID", `${quotePath(path)} cannot be written (${code || "unknown error"})`);
  }
}

function fileExists(path: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `${quotePath(path)} already exists, and nothing was changed`, {
    hint: "Give another folder with --dir.",
  });
}
