// The help of every command, as the command line itself lists them.

/** @import { Recorder } from "../support/recorder.mjs" */

/** @param {Recorder} recorder */
export async function record(recorder) {
  const { ak, part, terminal } = recorder;
  part("The help of every command");
  await recordHelp(recorder, "");
  part("Other ways to it");
  for (const line of ["", "secrets", "runs", "keys", "help", "help secrets set", "secrets help set", "secrets set -h"])
    await ak(line);
  await ak("--version");
  await ak("-V");
  await ak("--json");
  await ak("--json --help");
  part("In a terminal");
  await terminal("--help");
  await terminal("secrets set --help", { columns: 200 });
  await terminal("secrets set --help", { columns: 60 });
  await terminal("keys");
}

/** @param {Recorder} recorder @param {string} path */
async function recordHelp(recorder, path) {
  const { stdout } = await recorder.ak(`${path}--help`);
  const [, commands = ""] = /^Commands:\n((?: .*\n?)*)/m.exec(stdout) ?? [];
  for (const [, name] of commands.matchAll(/^ {2}([a-z-]+)/gm)) {
    if (name !== "help") await recordHelp(recorder, `${path}${name} `);
  }
}
