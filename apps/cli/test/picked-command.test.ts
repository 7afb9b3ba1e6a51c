import { Command, CommanderError } from "commander";
import { array, assert, asyncProperty, constantFrom, oneof } from "fast-check";
import { expect, it } from "vitest";
import type { CommandContext } from "../src/command.ts";
import { contextOf, type ProgramState } from "../src/command-line.ts";
import { COMMANDS, type CommandEntry, commandsFor } from "../src/commands.ts";
import { parsePlain, readPlain } from "../src/plain-command-line.ts";
import { createProgram } from "../src/program.ts";

/** What a command line comes to: which command runs with what, or what is wrong with it. */
async function outcomeOf(entries: readonly CommandEntry[], args: readonly string[]): Promise<unknown> {
  const state: ProgramState = { exitCode: 0, help: "", command: "", prints: true };
  const ran: unknown[] = [];
  const recorded = entries.map((entry) => ({
    ...entry,
    async load() {
      const { command } = await entry.load();
      const run = async (...given: readonly unknown[]) => void ran.push(JSON.stringify(given.slice(0, -1)));
      return { command: { ...command, run } };
    },
  }));
  const program = await createProgram(recorded, state);
  // That is where help goes that was asked for.
  for (const command of [program, ...program.commands.flatMap((group) => [group, ...group.commands])]) {
    command.configureOutput({ writeOut: (text) => ran.push(text) });
  }
  const error = await program.parseAsync(args, { from: "user" }).then(
    () => null,
    (reason: unknown) => (reason instanceof CommanderError ? `${reason.code}: ${reason.message}` : String(reason)),
  );
  return { ran, error, command: state.command, help: state.help };
}

const words = [
  "secrets secret runs keys run check get set ls list cat delete help nonsense A w.yaml - --",
  "--json -q --no-color --storage-path --key-file=k --storage-backend sqlite --help -h --version -V -qV --field k=v --tag --type apikey --bogus",
  "--json=x --force",
];

const word = constantFrom(...words.flatMap((line) => line.split(" ")));

it("means the same whether one command is loaded or all of them", async () => {
  await assert(
    asyncProperty(array(word, { maxLength: 7 }), async (args) => {
      const picked = commandsFor(args);
      if (picked.length === COMMANDS.length || picked.length === 0) return;
      expect(await outcomeOf(picked, args)).toEqual(await outcomeOf(COMMANDS, args));
    }),
    {
      examples: [
        [["secrets", "get", "A", "--json", "--field", "--tag"]],
        [["--storage-path", "run", "--json", "secrets", "ls", "--tag", "x", "--tag", "y"]],
        [["secrets", "set", "--", "--json", "-"]],
        [["secret", "cat", "--bogus"]],
        [["run"]],
        [["keys", "export", "A"]],
        [["secrets", "get", "--help"]],
        [["secrets", "get", "A", "B"]],
        [["secrets", "get", "A", "--vers"]],
      ],
    },
  );
});

/** What a command is told, where it runs. */
async function toldByCommander(entry: CommandEntry, args: readonly string[]): Promise<unknown> {
  const told: unknown[] = [];
  const { command } = await entry.load();
  const run = async (context: CommandContext, ...given: readonly unknown[]) =>
    void told.push(summaryOf(context, given.slice(0, -1)));
  const load = async () => await Promise.resolve({ command: { ...command, run } });
  const state: ProgramState = { exitCode: 0, help: "", command: "", prints: true };
  const program = await createProgram([{ ...entry, load }], state);
  await program.parseAsync(args, { from: "user" }).catch(() => undefined);
  return told[0];
}

function summaryOf({ terminal, place, runsPath }: CommandContext, given: readonly unknown[]): unknown {
  const { json, quiet, color } = terminal;
  return { json, quiet, color, place, runsPath, given };
}

it.each(COMMANDS)("a plain command line of $path means the same without commander", async (entry) => {
  const { command } = await entry.load();
  const parser = new Command();
  command.declare(parser);
  const own = parser.options.flatMap(({ short, long, argChoices, required }) => {
    const names = [short, long].filter((name) => name !== undefined);
    const values = required ? ["x", "", "-", "a=b", "--json", "-x", ...(argChoices ?? [])] : [""];
    return names.flatMap((name) => values.flatMap((value) => [[name, value], [`${name}=${value}`], [name]]));
  });
  const global =
    "--json -q --quiet --no-color --color --version -V --storage-path,p --key-file=k --storage-backend,sqlite --storage-backend=none -h --help -- -qV --runs-path";
  const piece = oneof(
    constantFrom(...own, ["A"], ["B"], ["-"], [""], ["-1"]),
    constantFrom(...global.split(" ").map((text) => text.split(","))),
  );
  const needed = [
    ...parser.registeredArguments.filter(({ required }) => required).map(() => ["A"]),
    ...parser.options
      .filter(({ mandatory }) => mandatory)
      .map(({ long, argChoices }) => [long ?? "", argChoices?.[0] ?? "x"]),
  ];
  let count = 0;
  await assert(
    asyncProperty(array(piece, { maxLength: 5 }), array(piece, { maxLength: 2 }), async (after, before) => {
      const args = [...before.flat(), ...entry.path.split(" "), ...needed.flat(), ...after.flat()];
      const [only, ...others] = commandsFor(args);
      if (only !== entry || others.length > 0) return;
      const plain = parsePlain(entry, command, args);
      if (plain === null) return;
      count += 1;
      expect(summaryOf(contextOf(plain.globals), plain.args)).toEqual(await toldByCommander(entry, args));
    }),
  );
  // These take any number of files or runs.
  if (!["check", "runs delete", "secrets usage"].includes(entry.path)) expect(count).toBeGreaterThan(0);
});

it("K1: refuses an empty path for every option, as of a variable that is not set", async () => {
  const state: ProgramState = { exitCode: 0, help: "", command: "", prints: true };
  const program = await createProgram(COMMANDS, state);
  const all = [program, ...program.commands.flatMap((group) => [group, ...group.commands])];
  const paths = all.flatMap(({ options }) => options.filter(({ flags }) => /<(?:file|folder)>$/.test(flags)));
  expect(paths.length).toBeGreaterThan(15);
  for (const { long, parseArg } of paths) {
    expect(() => parseArg?.("", undefined)).toThrow(`${long} takes a path, and it is empty`);
    expect([parseArg?.("p", undefined)].flat()).toEqual(["p"]);
  }
  for (const option of ["--key-file=", "--storage-path="]) {
    const args = [option, "secrets", "get", "A"];
    expect(await outcomeOf(commandsFor(args), args)).toMatchObject({ ran: [], error: expect.stringContaining("path") });
  }
});

it.each<[string, boolean]>([
  ["secrets get A", true],
  ["secrets get A --key-file=", false],
  ["secrets set A --from-file=", false],
  ["--json -q --storage-path s secrets list --tag=a --tag b --type apiKey", true],
  ["secrets set A - --from-file=- --keep-expiry", true],
  ["run w.yaml --no-env --input a=b", true],
  ["secrets get", false],
  ["secrets get A B", false],
  ["secrets get A --field", false],
  ["secrets get A --field -x", false],
  ["secrets get A --json=x", false],
  ["secrets get A --help", false],
  ["secrets get A --bogus", false],
  ["secrets get -- A", false],
  ["secrets list --type nonsense", false],
  ["runs list --status nonsense", false],
  ["secrets migrate", false],
  ["check a.yaml b.yaml", false],
])("%s is plain: %s", async (line, isPlain) => {
  const args = line.split(" ");
  const [entry] = commandsFor(args);
  const state: ProgramState = { exitCode: 0, help: "", command: "", prints: true };
  expect(entry === undefined ? null : await readPlain(entry, args, state)).toEqual(isPlain ? expect.anything() : null);
});
