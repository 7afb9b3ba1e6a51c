import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseDocument } from "yaml";
import { readJson, repository } from "../workspace.mjs";

interface Job {
  readonly uses?: string;
  readonly "timeout-minutes"?: number;
  readonly strategy?: { readonly matrix: { readonly node: readonly string[] } };
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(repository, ".github");
const texts = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yml"))
  .toSorted()
  .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
const workflows = texts.filter(({ name }) => name.startsWith("workflows/"));

function read(text: string): unknown {
  return parseDocument(text, { stringKeys: true }).toJS();
}

/** Everything that must hold of a workflow, as sentences; none where it holds. */
function problemsOf(text: string): string[] {
  const { permissions, jobs } = read(text) as Workflow;
  const actions = text.split("\n").filter((line) => /uses: (?!\.\/)/.test(line));
  const loose = actions.filter((line) => !/uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
  const endless = Object.keys(jobs).filter((name) => !jobs[name]?.uses && !jobs[name]?.["timeout-minutes"]);
  return [
    ...(permissions === undefined ? ["has all permissions"] : []),
    ...loose.map((line) => `not pinned by commit and version: ${line.trim()}`),
    ...endless.map((name) => `no time limit: ${name}`),
  ];
}

/** The Node versions of `engines` and `.ci/run`: the oldest, then the others. */
function nodeVersions(): string[] {
  const [, oldest = ""] = /^>=(.*)$/.exec(readJson(join(repository, "package.json")).engines.node) ?? [];
  const [, others = ""] = /^nodes=\((.*)\)$/m.exec(readFileSync(join(repository, ".ci", "run"), "utf8")) ?? [];
  return [oldest, ...others.split(" ")];
}

it.each(texts)("$name is YAML without a mistake", ({ text }) => {
  const { errors, warnings } = parseDocument(text, { stringKeys: true });
  expect([...errors, ...warnings]).toEqual([]);
});

it.each(workflows)("$name is pinned, limited and allowed little", ({ text }) => {
  expect(problemsOf(text)).toEqual([]);
});

it("says what is loose in a workflow", () => {
  const text = `jobs:\n  build:\n    steps:\n      - uses: actions/checkout@v7\n      - uses: actions/checkout@${"a".repeat(40)}\n`;
  expect(problemsOf(text)).toHaveLength(4);
});

it("every matrix has the Node versions of engines and .ci/run", () => {
  const matrices = workflows.flatMap(({ name, text }) =>
    Object.entries((read(text) as Workflow).jobs).flatMap(([job, { strategy }]) =>
      strategy === undefined ? [] : [[`${name} ${job}`, strategy.matrix.node]],
    ),
  );
  const versions = nodeVersions();
  expect(versions).toHaveLength(4);
  expect(Object.fromEntries(matrices)).toEqual({
    "workflows/check.yml linux": versions,
    "workflows/check.yml macos": versions,
  });
});

it("a report of a bug asks what the doctor says", () => {
  expect(texts.find(({ name }) => name === "ISSUE_TEMPLATE/bug.yml")?.text).toContain("autokestra doctor --json");
});
