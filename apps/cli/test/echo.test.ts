import type { Argument, Command, Option } from "commander";
import { afterAll, beforeAll, describe, it } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { createProgram } from "../src/program.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

interface Pasted {
  readonly text: string;
  /** The part that may not be repeated. */
  readonly canary: string;
}

/** What people paste where it does not belong. */
const PASTED: readonly [Pasted, ...Pasted[]] = [
  { text: "sk_live_x9CANARY", canary: "sk_live_x9CANARY" },
  { text: "NAME=4242CANARYvalue", canary: "4242CANARYvalue" },
  { text: "postgres://svc:Pw0CANARY@db/x", canary: "Pw0CANARY" },
  { text: "4nCANARY7f3a9c1e5b8d", canary: "4nCANARY7f3a9c1e5b8d" },
  { text: "sk_live_x", canary: "sk_live_x" },
  { text: "p@CANARYw0rd!", canary: "CANARYw0rd" },
  { text: "-----BEGIN PRIVATE KEY-----\nMIICANARY\n", canary: "MIICANARY" },
];

/** What stands in the other places, so that the one with the value is reached. */
const FILLERS: Readonly<Record<string, string>> = {
  name: "A",
  from: "A",
  to: "B",
  file: "none.yaml",
  fingerprint: "0123456789abcdef",
  execution: "none",
};

interface Place {
  readonly what: string;
  readonly args: (value: string) => readonly string[];
}

const program = await createProgram(COMMANDS, { exitCode: 0, help: "", command: "", prints: true });

interface Leaf {
  readonly command: Command;
  readonly path: readonly string[];
}

function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ command, path }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

/** Every place of every command where something can be typed. */
function places(): Place[] {
  const groups = program.commands.filter(({ commands }) => commands.length > 0).map((group) => [group.name()]);
  const commands = leaves(program);
  const loaded = commands.filter(({ path }) => ["run", "doctor", "secrets set", "runs list"].includes(path.join(" ")));
  return [
    ...[[], ...groups].map((group) => place([...group, "<command>"], (value) => [...group, value])),
    ...commands.flatMap((leaf) => placesOf(leaf, leaf.command.options)),
    ...loaded.flatMap((leaf) => placesOf(leaf, program.options)),
  ];
}

function placesOf({ command, path }: Leaf, options: readonly Option[]): Place[] {
  const filled = command.registeredArguments.filter(({ required }) => required).map(fillerOf);
  const mandatory = command.options.filter((option) => option.mandatory).map(givenOption);
  const optionPlaces = options
    .filter(({ required }) => required)
    .flatMap(({ long }) => {
      const others = mandatory.filter(([name]) => name !== long).flat();
      return [place([...path, `${long}`], (value) => [...path, ...filled, ...others, `${long}`, value])];
    });
  const given = [...path, ...filled, ...mandatory.flat()];
  return [
    ...optionPlaces,
    ...command.registeredArguments.map((argument, index) =>
      place([...path, `<${argument.name()}>`], (value) => [
        ...path,
        ...filled.toSpliced(index, 1, value),
        ...mandatory.flat(),
      ]),
    ),
    place([...path, "one more"], (value) => [...given, "more", value]),
    place([...path, "--tokn="], (value) => [...given, `--tokn=${value}`]),
  ];
}

function place(words: readonly string[], args: Place["args"]): Place {
  return { what: words.join(" "), args };
}

function fillerOf(argument: Argument): string {
  return FILLERS[argument.name()] ?? "none";
}

function givenOption({ argChoices, long }: Option): readonly string[] {
  return [`${long}`, argChoices?.[0] ?? "none"];
}

let box: Sandbox;
beforeAll(() => {
  box = createSandbox();
});
afterAll(() => box.remove());

describe.concurrent("K10, K30: rejected input is not repeated", () => {
  const all = places();
  const cases = all.map(({ what, args }, index) => ({ what, args, project: `p${index}` }));

  it("looks at every command", ({ expect }) => {
    expect(all.length).toBeGreaterThan(100);
  });

  // Each place gets another one of the pasted texts; with LONG_TESTS every text, which takes minutes.
  const first = (index: number) =>
    process.env["LONG_TESTS"] === "true" ? PASTED : [PASTED[index % PASTED.length] ?? PASTED[0]];
  it.for(cases.flatMap((one, index) => first(index).map((pasted) => ({ ...one, pasted }))))(
    "$what",
    async ({ args, project, pasted }, { expect }) => {
      const { code, stdout, stderr } = await box.ak(args(pasted.text), { project });
      if (code !== 0) expect(`${stdout}${stderr}`).not.toContain(pasted.canary);
    },
  );
});
