import { CommanderError } from "commander";
import { array, assert, asyncProperty, constantFrom } from "fast-check";
import { expect, it } from "vitest";
import { COMMANDS, type CommandEntry, commandsFor } from "../src/commands.ts";
import { createProgram, type ProgramState } from "../src/program.ts";

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
      numRuns: 200,
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
