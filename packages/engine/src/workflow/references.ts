import type { TextPart, YamlPath } from "@autokestra/config/yaml";
import { parseTemplate, type Reference, type Template } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";
import { parseTemplates, type TemplateTree, wholeReference } from "@autokestra/secrets-resolver";
import { type Condition, parseCondition, referencesOf } from "./condition.ts";
import { allTasks, type PlacedTask, type Workflow } from "./workflow.ts";

/** The parts of a file that can have references. */
type ReferencePlace = "inputs" | "if" | "forEach" | "outputs" | "group";

/** A reference in a workflow, or what is written instead of one. */
export interface ReferenceUse {
  readonly place: ReferencePlace;
  /** The task it belongs to; null in `outputs` and `concurrency.group`. */
  readonly owner: PlacedTask | null;
  readonly path: YamlPath;
  readonly result: { readonly reference: Reference } | { readonly problem: string };
  /** Whether the reference is the whole string, so that its value keeps its type. */
  readonly whole: boolean;
  readonly mark: TextPart | undefined;
}

/** A task whose texts are parsed. */
export interface ParsedTask {
  readonly inputs: TemplateTree;
  /** Null without an `if`, and for a malformed one. */
  readonly condition: Condition | null;
  /** Null without a `forEach`. */
  readonly items: TemplateTree | null;
}

/** Everything in a workflow that has references. */
export interface ParsedTexts {
  /** By the id of the task. */
  readonly tasks: ReadonlyMap<string, ParsedTask>;
  readonly outputs: TemplateTree;
  readonly uses: readonly ReferenceUse[];
}

/** Parses all texts of a workflow, once: check walks the trees, and a run resolves them. */
export function parseTexts(workflow: Workflow): ParsedTexts {
  const uses: ReferenceUse[] = [];
  const tasks = allTasks(workflow).map((owner): [string, ParsedTask] => {
    const { task, list, index } = owner;
    const at = (place: ReferencePlace) => ({ place, owner, path: [list, index, place] });
    const inputs = parseTemplates(task.inputs);
    const items = task.forEach === undefined ? null : parseTemplates(task.forEach);
    const condition = task.if === undefined ? null : readCondition(task.if, at("if"), uses);
    if (items !== null) uses.push(...findReferences(items, at("forEach")));
    uses.push(...findReferences(inputs, at("inputs")));
    return [task.id, { inputs, condition, items }];
  });
  const outputs = parseTemplates(workflow.outputs ?? {});
  uses.push(...findReferences(outputs, { place: "outputs", owner: null, path: ["outputs"] }));
  const group = { place: "group", owner: null, path: ["concurrency", "group"] } as const;
  uses.push(...inTemplate(parseTemplate(workflow.concurrency?.group ?? ""), group));
  // Of two tasks with one id, which is a problem of its own, the first one counts.
  return { tasks: new Map(tasks.toReversed()), outputs, uses };
}

type Place = Pick<ReferenceUse, "place" | "owner" | "path">;

function readCondition(text: string, place: Place, uses: ReferenceUse[]): Condition | null {
  const parsed = parseCondition(text);
  if ("problem" in parsed) {
    const { problem, start, length } = parsed;
    uses.push({ ...place, result: { problem }, whole: true, mark: markOf(text, start, length) });
    return null;
  }
  const found = referencesOf(parsed.condition).map(({ reference, start }) => {
    const mark = markOf(text, start, formatReference(reference).length);
    return { ...place, result: { reference }, whole: true, mark };
  });
  uses.push(...found);
  return parsed.condition;
}

/** Marks a part of a condition. */
function markOf(condition: string, start: number, length: number): TextPart | undefined {
  const text = condition.slice(start, start + length);
  if (text === "") return undefined;
  const marks = offsets(condition, text);
  return { text, nth: marks.get(start) ?? 0, of: marks.size, length };
}

/** Finds every reference in a tree. */
function findReferences(tree: TemplateTree, place: Place): ReferenceUse[] {
  const inside = (key: string | number): Place => ({ ...place, path: [...place.path, key] });
  switch (tree.kind) {
    case "template":
      return inTemplate(tree.template, place);
    case "list":
      return tree.items.flatMap((item, index) => findReferences(item, inside(index)));
    case "object":
      return tree.entries.flatMap(([key, item]) => findReferences(item, inside(key)));
    default:
      return [];
  }
}

function inTemplate(template: Template, place: Place): ReferenceUse[] {
  const { source: text, parts, problems } = template;
  const references = parts.filter((part) => part.kind === "reference");
  const whole = wholeReference(template) !== null;
  const all = [
    ...references.map(({ start, end, reference }) => ({ start, end, result: { reference } })),
    ...problems.map(({ start, end, message }) => ({ start, end, result: { problem: message } })),
  ].sort((a, b) => a.start - b.start);
  const marks = offsets(text, "{{");
  return all.map(({ start, end, result }) => {
    return { ...place, result, whole, mark: { nth: marks.get(start) ?? 0, of: marks.size, length: end - start } };
  });
}

/** The offset of each occurrence of a word, and its number from 0. */
function offsets(text: string, word: string): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + word.length)) found.set(at, found.size);
  return found;
}
