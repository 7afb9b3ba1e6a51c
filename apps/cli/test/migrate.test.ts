import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

const PAGE = readFileSync(new URL("../../../docs/migrate.md", import.meta.url), "utf8");
/** The chapters that have steps. */
const CHAPTERS = PAGE.split(/^## /m).slice(1);

/** A fenced block: a file with its name behind the language, commands, or what the commands before it print. */
interface Block {
  readonly language: string;
  readonly name: string | undefined;
  readonly text: string;
}

function blocksOf(chapter: string): readonly Block[] {
  const found = chapter.matchAll(/^( *)```(\w+)(?: (\S+))?\n([\s\S]*?)^\1```$/gm);
  return [...found].map(([, indent = "", language = "", name, text = ""]) => {
    return { language, name, text: text.replaceAll(new RegExp(`^${indent}`, "gm"), "") };
  });
}

let box: Sandbox;
beforeEach(() => {
  box = createSandbox();
  mkdirSync(join(box.folder, "bin"));
  const command = join(box.folder, "bin", "autokestra");
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  chmodSync(command, 0o755);
});
afterEach(() => box.remove());

/** Runs commands as a person would paste them, and returns all that they print. */
function run(commands: string): { readonly code: number | null; readonly printed: string } {
  const env = { PATH: `${box.folder}/bin:${process.env["PATH"]}`, HOME: `${box.folder}/home` };
  const { status, stdout } = spawnSync("sh", ["-ec", `{ ${commands}; } 2>&1`], {
    cwd: box.folder,
    env,
    encoding: "utf8",
  });
  return { code: status, printed: stdout };
}

it.each(CHAPTERS.map((chapter) => [chapter.split("\n", 1)[0] ?? "", blocksOf(chapter)] as const))("%s", (_, blocks) => {
  expect(blocks.filter(({ language }) => language === "sh").length).toBeGreaterThan(1);
  for (const [index, { language, name, text }] of blocks.entries()) {
    if (name !== undefined) writeFileSync(join(box.folder, name), text);
    if (language !== "sh") continue;
    const next = blocks[index + 1];
    const expected = next?.language === "text" ? next.text : expect.anything();
    expect(run(text.trimEnd())).toEqual({ code: 0, printed: expected });
  }
});

it("shows no value", () => {
  for (const { language, text } of CHAPTERS.flatMap(blocksOf)) {
    if (language === "text") expect(text).not.toMatch(/ghp_|sk-Zm9v|pa55word|t0ken|correct horse/);
  }
});
