import type { GraphNode, GraphSection, WorkflowGraph } from "./workflow-graph.ts";

/** What is said about a section, and of the arrow to it. */
const SECTIONS = {
  tasks: { title: "tasks", arrow: "" },
  onFailure: { title: "onFailure", arrow: "if the run has failed" },
  finally: { title: "finally", arrow: "at the end of every run" },
} as const;

/** A workflow as a flowchart of Mermaid, which GitHub, GitLab and others draw in Markdown. */
export function toMermaid(graph: WorkflowGraph): string {
  const chart = new Chart();
  chart.workflow(graph);
  return `flowchart LR\n${chart.lines.map((line) => `  ${line}\n`).join("")}`;
}

class Chart {
  readonly lines: string[] = [];
  #count = 0;
  #indent = "";

  workflow({ sections }: WorkflowGraph): void {
    const [only, ...others] = sections;
    if (only !== undefined && others.length === 0) {
      this.#section(only);
      return;
    }
    const names = sections.map((section) => {
      const name = this.#name();
      this.#inside(name, [SECTIONS[section.list].title], () => this.#section(section));
      return { name, arrow: SECTIONS[section.list].arrow };
    });
    const [tasks, ...handlers] = names;
    for (const { name, arrow } of handlers) this.#line(`${tasks?.name} -.->|${quote([arrow])}| ${name}`);
  }

  #section({ nodes, edges }: GraphSection): void {
    const names = nodes.map((node) => this.#node(node));
    for (const [from, to] of edges) this.#line(`${names[from]} --> ${names[to]}`);
  }

  #node({ id, type, notes, calls }: GraphNode): string {
    const name = this.#name();
    const text = [id, type, ...notes];
    if (calls === null) this.#line(`${name}[${quote(text)}]`);
    else this.#inside(name, text, () => this.workflow(calls));
    return name;
  }

  #inside(name: string, title: readonly string[], draw: () => void): void {
    const outside = this.#indent;
    this.#line(`subgraph ${name}[${quote(title)}]`);
    this.#indent += "  ";
    draw();
    this.#indent = outside;
    this.#line("end");
  }

  /** Names of our own: an id such as `end` is a word of Mermaid. */
  #name(): string {
    this.#count += 1;
    return `n${this.#count}`;
  }

  #line(text: string): void {
    this.lines.push(this.#indent + text);
  }
}

/** A label of several lines. What Mermaid, Markdown or HTML could understand is written as a number. */
function quote(lines: readonly string[]): string {
  const shown = lines.map((line) =>
    line.replace(/[^\p{L}\p{M}\p{N} _.…/=,-]/gu, (character) => `#${character.codePointAt(0)};`),
  );
  return `"${shown.join("<br/>")}"`;
}
