import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { anyCharacter } from "../../../../scripts/test/any-character.ts";
import { drawWorkflow } from "../../src/graph/draw-workflow.ts";
import { layOut } from "../../src/graph/layout.ts";
import { toMermaid } from "../../src/graph/mermaid.ts";
import { toSvg } from "../../src/graph/svg.ts";
import { loadWorkflow, parseWorkflow } from "../../src/workflow/parse-workflow.ts";

const TOKEN = `ghp_${"A1b2C3d4E5".repeat(4)}`.slice(0, 40);

const RELEASE = `
apiVersion: v1
id: release
inputs: { environment: { type: string, default: staging } }
tasks:
  - { id: end, type: core/shell.run, inputs: { command: "canary-of-an-input" } }
  - { id: hosts, type: core/http.get, continueOnError: true, inputs: { url: "https://canary.example/" } }
  - id: deploy
    type: core/console.log
    needs: [end, hosts]
    if: inputs.environment == "production"
    forEach: "{{ tasks.hosts.output.body.items }}"
    concurrency: 5
    inputs: { message: canary }
  - { id: list, type: core/console.log, needs: [end], forEach: [canary, canary], inputs: { message: canary } }
  - { id: child, type: core/workflow.call, needs: [deploy], inputs: { file: ./child.yaml } }
  - { id: again, type: core/workflow.call, needs: [deploy], inputs: { file: ./child.yaml } }
onFailure: [{ id: alarm, type: core/console.log, inputs: { message: canary } }]
finally: [{ id: first, type: core/console.log, inputs: { message: x } }, { id: last, type: core/console.log, inputs: { message: x } }]
`;

const CHILD = `{ apiVersion: v1, id: child, tasks: [{ id: one, type: core/console.log, inputs: { message: x } }] }`;

async function draw(workflow: string, format: "mermaid" | "svg"): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "child.yaml"), CHILD);
  writeFileSync(join(folder, "w.yaml"), workflow);
  return await drawWorkflow(await loadWorkflow(join(folder, "w.yaml")), format);
}

it("draws tasks, needs, conditions, lists, handlers and called workflows for Mermaid", async () => {
  expect(await draw(RELEASE, "mermaid")).toBe(`flowchart LR
  subgraph n1["tasks"]
    n2["end<br/>core/shell.run"]
    n3["hosts<br/>core/http.get<br/>may fail"]
    n4["deploy<br/>core/console.log<br/>if inputs.environment == #34;production#34;<br/>for each of #123;#123; tasks.hosts.output.body.items #125;#125;<br/>5 at a time"]
    n5["list<br/>core/console.log<br/>for each of 2 items"]
    subgraph n6["child<br/>core/workflow.call"]
      n7["one<br/>core/console.log"]
    end
    n8["again<br/>core/workflow.call<br/>workflow child, drawn once"]
    n2 --> n4
    n3 --> n4
    n2 --> n5
    n4 --> n6
    n4 --> n8
  end
  subgraph n9["onFailure"]
    n10["alarm<br/>core/console.log"]
  end
  subgraph n11["finally"]
    n12["first<br/>core/console.log"]
    n13["last<br/>core/console.log"]
    n12 --> n13
  end
  n1 -.->|"if the run has failed"| n9
  n1 -.->|"at the end of every run"| n11
`);
});

it("draws the same picture every time, with every task in it and no input of one", async () => {
  const [svg, again] = [await draw(RELEASE, "svg"), await draw(RELEASE, "svg")];
  expect(again).toBe(svg);
  for (const id of ["end", "hosts", "deploy", "list", "child", "one", "alarm", "first", "last"]) {
    expect(svg).toContain(`>${id}</text>`);
  }
  expect(svg).not.toContain("canary");
  expect(svg).toContain("@media (prefers-color-scheme: dark)");
  expect(svg).not.toMatch(/<script|href|url\((?!#tip\))/);
});

it("leaves the token of a service out of a condition", async () => {
  const source = `{ apiVersion: v1, id: w, inputs: { a: { type: string, default: "" } }, tasks: [
    { id: t, type: core/console.log, if: 'inputs.a == "${TOKEN}"', inputs: { message: x } }] }`;
  for (const format of ["mermaid", "svg"] as const) {
    const picture = await drawWorkflow(parseWorkflow(source, "w.yaml"), format);
    expect(picture).not.toContain("ghp_");
    expect(picture).toContain("…");
  }
});

/** A line of a flowchart with a label: nothing in the label can end it, or start anything else. */
const LABEL = /^ *(?:n\d+|subgraph n\d+)\[(?="[^"\n]*"\]$)"((?:[\p{L}\p{M}\p{N} _.…/=,-]|<br\/>|#\d+;)*)"\]$/u;

const hostile = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.constantFrom(
    "]]>",
    '"]',
    "<script>alert(1)</script>",
    "end",
    "%%{init: {}}%%",
    "`x`",
    "style x:#f00;",
    "\u0000\u001b[2J\u202e\ud800",
  ),
);

it("draws any text as text", () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 4 }), (texts) => {
      const graph = {
        id: "w",
        sections: [
          { list: "tasks", nodes: [{ id: texts[0] ?? "", type: "a/b.c", notes: texts, calls: null }], edges: [] },
        ],
      } as const;
      const [first, node, ...others] = toMermaid(graph)
        .split("\n")
        .filter((line) => line !== "");
      expect([first, others]).toEqual(["flowchart LR", []]);
      expect(node).toMatch(LABEL);
      const texted = toSvg(graph)
        .replace(/<style>[^<]*<\/style>/, "")
        .matchAll(/<(\/?[a-z]+)/g);
      const tags = new Set([...texted].map(([, tag]) => tag));
      expect(
        [...tags].filter(
          (tag) => !["svg", "title", "defs", "marker", "path", "rect", "text"].includes(tag?.replace("/", "") ?? ""),
        ),
      ).toEqual([]);
    }),
  );
});

it("places boxes after those that they need, none over another", () => {
  const graph = fc.integer({ min: 1, max: 25 }).chain((count) =>
    fc.record({
      boxes: fc.array(fc.record({ width: fc.integer({ min: 1, max: 200 }), height: fc.integer({ min: 1, max: 90 }) }), {
        minLength: count,
        maxLength: count,
      }),
      pairs: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 60 }),
    }),
  );
  fc.assert(
    fc.property(graph, ({ boxes, pairs }) => {
      const edges = pairs.flatMap(([a, b]) => (a === b ? [] : [[Math.min(a, b), Math.max(a, b)] as const]));
      const layout = layOut(boxes, edges);
      expect(layOut(boxes, edges)).toEqual(layout);
      for (const [from, to] of edges) {
        const [left, right] = [layout.boxes[from], layout.boxes[to]];
        expect((left?.x ?? 0) + (left?.width ?? 0)).toBeLessThan(right?.x ?? 0);
      }
      const overlaps = layout.boxes.filter((one, at) =>
        layout.boxes.some(
          (other, index) =>
            index > at &&
            one.x < other.x + other.width &&
            other.x < one.x + one.width &&
            one.y < other.y + other.height &&
            other.y < one.y + one.height,
        ),
      );
      expect(overlaps).toEqual([]);
      for (const { x, y, width, height } of layout.boxes) {
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(x + width).toBeLessThanOrEqual(layout.width);
        expect(y + height).toBeLessThanOrEqual(layout.height);
      }
    }),
  );
});

const LONG = process.env["LONG_TESTS"] === "true";

it.each([
  ["a chain", (index: number) => (index === 0 ? [] : [index - 1])],
  ["one task that all others need", (index: number) => (index === 0 ? [] : [0])],
  [
    "a hundred columns that need each other",
    (index: number) => (index < 10 ? [] : Array.from({ length: 10 }, (_, at) => Math.floor(index / 10) * 10 - 10 + at)),
  ],
  [
    "tasks that need many before",
    (index: number) => Array.from({ length: Math.min(index, LONG ? 80 : 20) }, (_, at) => index - 1 - at),
  ],
])("draws a thousand tasks: %s", async (_, needsOf) => {
  const tasks = Array.from({ length: 1000 }, (__, index) => ({
    id: `t${index}`,
    type: "core/console.log",
    needs: needsOf(index).map((need) => `t${need}`),
    inputs: { message: "x" },
  }));
  const picture = await drawWorkflow(
    parseWorkflow(JSON.stringify({ apiVersion: "v1", id: "w", tasks }), "w.yaml"),
    "svg",
  );
  expect(picture.match(/class="task"/g)).toHaveLength(1000);
});
