import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseYaml } from "@autokestra/config/yaml";
import type { RunEvent } from "@autokestra/runs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkWorkflow, createEnvironmentSource, loadWorkflow, runWorkflow } from "../src/index.ts";

const PAGE = readFileSync(new URL("../../../docs/workflows.md", import.meta.url), "utf8");

/** Whole workflows of the page: a comment says what they print and give back. */
const examples = PAGE.split("```yaml\n")
  .map((block) => block.slice(0, block.indexOf("```")))
  // The first one, which shows every key, calls a server that there is not.
  .filter((text) => text.startsWith("apiVersion: v1\nid: ") && !text.includes("example.com"))
  .map((text) => ({ text, id: text.split("\n")[1]?.slice("id: ".length) ?? "" }));

/** The rest of each comment line that begins with a word. */
function said(text: string, word: string): string[] {
  return text.split("\n").flatMap((line) => (line.startsWith(`# ${word} `) ? [line.slice(word.length + 3)] : []));
}

function dataOf(yaml: string | undefined): unknown {
  const invalid = (message: string) =>
    ({ code: "WORKFLOW_INVALID", message, position: undefined, hint: undefined }) as const;
  return yaml === undefined ? undefined : parseYaml(yaml, invalid).data;
}

describe("the workflows in docs/workflows.md", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "autokestra-docs-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const sources = [
    createEnvironmentSource({ TOKEN: "s3cret-t0ken-value", DB: "db-p4ssword-x", HOOK_KEY: "h00k-key-value" }),
  ];

  it("are one for each part of the flow", () => expect(examples.length).toBe(11));

  it.each(examples.map(({ id, text }) => [id, text] as const))("%s", async (id, text) => {
    const path = join(folder, `${id}.yaml`);
    writeFileSync(path, text);
    for (const child of said(text, "child.yaml")) writeFileSync(join(folder, "child.yaml"), child);
    const { problems } = await checkWorkflow(path, { sources });
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
    const events: RunEvent[] = [];
    const finished = await runWorkflow(await loadWorkflow(path), { sources, sink: (event) => void events.push(event) });
    const [status = "success"] = said(text, "status");
    expect(finished.status).toBe(status);
    const logs = events.flatMap((event) => (event.event === "task.log" ? [event.message] : []));
    for (const line of said(text, "prints")) expect(logs).toContain(line);
    const [outputs] = said(text, "outputs");
    if (outputs !== undefined) expect(finished.outputs).toEqual(dataOf(outputs));
  });
});
