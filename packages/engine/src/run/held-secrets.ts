import type { TextPart, YamlPath } from "@autokestra/config/yaml";
import type { Reference } from "@autokestra/secrets-core";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { ReferenceUse } from "../workflow/references.ts";
import { allTasks, type PlacedTask, type Task } from "../workflow/workflow.ts";
import type { CalledWorkflows } from "./called-workflows.ts";

/** A place in the inputs of a task that gets secrets, directly or by way of what the engine passes on. */
export interface SecretUse {
  readonly owner: PlacedTask;
  readonly path: YamlPath;
  readonly mark: TextPart | undefined;
  /** The names of the secrets. */
  readonly secrets: ReadonlySet<string>;
}

/** Which secrets the tasks of a workflow and of its called workflows get. Needs no value. */
export interface HeldSecrets {
  /** The workflow and all called ones, each once. */
  readonly workflows: readonly ParsedWorkflow[];
  usesIn(workflow: ParsedWorkflow): readonly SecretUse[];
  /** The ids of a workflow and of all that lead to it. */
  callersOf(workflow: ParsedWorkflow): ReadonlySet<string>;
}

/** What a value is made of, in the terms of one workflow file. */
interface Origin {
  readonly secrets: ReadonlySet<string>;
  readonly inputs: ReadonlySet<string>;
}

const NOTHING: Origin = { secrets: new Set(), inputs: new Set() };

interface Call {
  readonly caller: ParsedWorkflow;
  readonly task: Task;
  readonly called: ParsedWorkflow;
}

/**
 * Follows secrets through references: into the inputs of tasks and the items of their `forEach`, into the inputs of
 * called workflows, and out of their outputs. What an action returns is not followed: only a run can see what is in it.
 */
export function findHeldSecrets(root: ParsedWorkflow, rootCalls: CalledWorkflows): HeldSecrets {
  const calls = collectCalls(root, rootCalls);
  const workflows = [...new Set([root, ...calls.map(({ called }) => called)])];
  const origins = new Origins(workflows, calls);
  const uses = new Map<ParsedWorkflow, readonly SecretUse[]>();
  return {
    workflows,
    callersOf: createCallers(calls),
    usesIn: (workflow) => remember(uses, workflow, () => usesIn(workflow, origins)),
  };
}

function usesIn(workflow: ParsedWorkflow, origins: Origins): readonly SecretUse[] {
  return workflow.references.flatMap((use) => {
    const { owner, place, path, mark } = use;
    if (owner === null || place !== "inputs") return [];
    const secrets = origins.secretsIn(workflow, use);
    return secrets.size === 0 ? [] : [{ owner, path, mark, secrets }];
  });
}

function createCallers(calls: readonly Call[]): HeldSecrets["callersOf"] {
  const known = new Map<ParsedWorkflow, ReadonlySet<string>>();
  const callersOf: HeldSecrets["callersOf"] = (workflow) =>
    remember(known, workflow, () => {
      const callers = calls.flatMap(({ caller, called }) => (called === workflow ? [callersOf(caller)] : []));
      return merge([new Set([workflow.workflow.id]), ...callers]);
    });
  return callersOf;
}

/** What the values in some workflows are made of, each looked for once. */
class Origins {
  readonly #workflows: readonly ParsedWorkflow[];
  readonly #calls: readonly Call[];
  readonly #ofItems = new Map<Task, Origin>();
  readonly #ofOutputs = new Map<string, Origin>();
  readonly #ofInputs = new Map<string, ReadonlySet<string>>();

  constructor(workflows: readonly ParsedWorkflow[], calls: readonly Call[]) {
    this.#workflows = workflows;
    this.#calls = calls;
  }

  /** The secrets that a reference brings. */
  secretsIn(workflow: ParsedWorkflow, use: ReferenceUse): ReadonlySet<string> {
    return this.#secretsOf(workflow, this.#ofUse(workflow, use));
  }

  #secretsOf(workflow: ParsedWorkflow, { secrets, inputs }: Origin): ReadonlySet<string> {
    return merge([secrets, ...[...inputs].map((name) => this.#secretsOfInput(workflow, name))]);
  }

  /** The secrets in an input of a workflow, by any of its calls. */
  #secretsOfInput(workflow: ParsedWorkflow, name: string): ReadonlySet<string> {
    return remember(this.#ofInputs, `${this.#workflows.indexOf(workflow)} ${name}`, () => {
      const calls = this.#calls.filter(({ called }) => called === workflow);
      return merge(calls.map((call) => this.#secretsOf(call.caller, this.#ofInput(call, name))));
    });
  }

  #ofUse(workflow: ParsedWorkflow, { result, owner }: ReferenceUse): Origin {
    if (!("reference" in result)) return NOTHING;
    const { reference } = result;
    if (reference.root === "secrets") return { ...NOTHING, secrets: new Set([reference.name]) };
    if (reference.root === "inputs") return { ...NOTHING, inputs: new Set([reference.name]) };
    if (reference.root === "item" && owner !== null) return this.#ofItem(workflow, owner.task);
    if (reference.root === "tasks" && reference.part === "output") return this.#ofOutput(workflow, reference);
    return NOTHING;
  }

  /** @param isPart tells whether a reference stands in the part of the file, such as the `forEach` of a task */
  #ofPart(workflow: ParsedWorkflow, isPart: (use: ReferenceUse) => boolean): Origin {
    return union(workflow.references.filter(isPart).map((use) => this.#ofUse(workflow, use)));
  }

  #ofItem(workflow: ParsedWorkflow, task: Task): Origin {
    return remember(this.#ofItems, task, () =>
      this.#ofPart(workflow, ({ owner, place }) => owner?.task === task && place === "forEach"),
    );
  }

  /** The outputs of a called workflow, in the terms of its caller. */
  #ofOutput(workflow: ParsedWorkflow, { id, path }: Reference & { root: "tasks" }): Origin {
    const call = this.#calls.find(({ caller, task }) => caller === workflow && task.id === id);
    if (call === undefined) return NOTHING;
    const key = call.task.forEach === undefined ? path[0] : path[1];
    const step = `${this.#workflows.indexOf(workflow)} ${id} ${key ?? ""}`;
    const known = this.#ofOutputs.get(step);
    if (known !== undefined) return known;
    // A file that is only checked can have tasks that need each other.
    this.#ofOutputs.set(step, NOTHING);
    const inside = this.#ofPart(
      call.called,
      (use) => use.place === "outputs" && (key === undefined || use.path.length < 2 || use.path[1] === key),
    );
    const given = [...inside.inputs].map((name) => this.#ofInput(call, name));
    const origin = union([{ ...NOTHING, secrets: inside.secrets }, ...given]);
    this.#ofOutputs.set(step, origin);
    return origin;
  }

  /** What a call gives to an input of the called workflow. */
  #ofInput({ caller, task }: Call, name: string): Origin {
    return this.#ofPart(
      caller,
      ({ owner, place, path }) =>
        owner?.task === task && place === "inputs" && path[3] === "inputs" && (path.length < 5 || path[4] === name),
    );
  }
}

function remember<Key, Value>(known: Map<Key, Value>, key: Key, find: () => Value): Value {
  const value = known.get(key) ?? find();
  known.set(key, value);
  return value;
}

/** All calls, those of one file once. */
function collectCalls(caller: ParsedWorkflow, calls: CalledWorkflows, seen = new Set<ParsedWorkflow>()): Call[] {
  if (seen.has(caller)) return [];
  seen.add(caller);
  return allTasks(caller.workflow).flatMap(({ task }) => {
    const called = calls.get(task.id);
    if (called === undefined) return [];
    return [{ caller, task, called: called.parsed }, ...collectCalls(called.parsed, called.calls, seen)];
  });
}

function union(origins: readonly Origin[]): Origin {
  return {
    secrets: merge(origins.map(({ secrets }) => secrets)),
    inputs: merge(origins.map(({ inputs }) => inputs)),
  };
}

function merge(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  return new Set(sets.flatMap((set) => [...set]));
}
