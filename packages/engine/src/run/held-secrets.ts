import type { Mark, YamlPath } from "@autokestra/config/yaml";
import type { Reference } from "@autokestra/secrets-core";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { ReferenceUse } from "../workflow/references.ts";
import { allTasks, type PlacedTask, type Task } from "../workflow/workflow.ts";
import type { CalledWorkflows } from "./called-workflows.ts";

/** A place in the inputs of a task that gets secrets, directly or by way of what the engine passes on. */
export interface SecretUse {
  readonly owner: PlacedTask;
  readonly path: YamlPath;
  readonly mark: Mark | undefined;
  /** The names of the secrets. */
  readonly secrets: ReadonlySet<string>;
}

/** Which secrets the tasks of a workflow get, and of those that it calls. No value is needed to know it. */
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

  /** @param place the part of the file, such as the `forEach` of a task */
  function originOf(workflow: ParsedWorkflow, isPart: (use: ReferenceUse) => boolean): Origin {
    return union(workflow.references.filter(isPart).map((use) => originOfUse(workflow, use)));
  }

  function originOfUse(workflow: ParsedWorkflow, { result, owner }: ReferenceUse): Origin {
    if (!("reference" in result)) return NOTHING;
    const { reference } = result;
    if (reference.root === "secrets") return { ...NOTHING, secrets: new Set([reference.name]) };
    if (reference.root === "inputs") return { ...NOTHING, inputs: new Set([reference.name]) };
    if (reference.root === "item" && owner !== null) return originOfItems(workflow, owner.task);
    if (reference.root === "tasks" && reference.part === "output") return originOfOutput(workflow, reference);
    return NOTHING;
  }

  const ofItems = new Map<Task, Origin>();

  function originOfItems(workflow: ParsedWorkflow, task: Task): Origin {
    const origin =
      ofItems.get(task) ?? originOf(workflow, ({ owner, place }) => owner?.task === task && place === "forEach");
    ofItems.set(task, origin);
    return origin;
  }

  const ofOutputs = new Map<string, Origin>();

  /** The outputs of a called workflow, in the terms of its caller. */
  function originOfOutput(workflow: ParsedWorkflow, { id, path }: Reference & { root: "tasks" }): Origin {
    const call = calls.find(({ caller, task }) => caller === workflow && task.id === id);
    if (call === undefined) return NOTHING;
    const key = call.task.forEach === undefined ? path[0] : path[1];
    const step = `${workflows.indexOf(workflow)} ${id} ${key ?? ""}`;
    const known = ofOutputs.get(step);
    if (known !== undefined) return known;
    // A file that is only checked can have tasks that need each other.
    ofOutputs.set(step, NOTHING);
    const inside = originOf(
      call.called,
      (use) => use.place === "outputs" && (key === undefined || use.path.length < 2 || use.path[1] === key),
    );
    const given = [...inside.inputs].map((name) => originOfInput(call, name));
    const origin = union([{ ...NOTHING, secrets: inside.secrets }, ...given]);
    ofOutputs.set(step, origin);
    return origin;
  }

  /** What a call gives to an input of the called workflow. */
  function originOfInput({ caller, task }: Call, name: string): Origin {
    return originOf(
      caller,
      ({ owner, place, path }) =>
        owner?.task === task && place === "inputs" && path[3] === "inputs" && (path.length < 5 || path[4] === name),
    );
  }

  const ofInputs = new Map<string, ReadonlySet<string>>();

  /** The secrets in an input of a workflow, by any of its calls. */
  function secretsOfInput(workflow: ParsedWorkflow, name: string): ReadonlySet<string> {
    const key = `${workflows.indexOf(workflow)} ${name}`;
    const secrets =
      ofInputs.get(key) ??
      merge(
        calls.flatMap((call) => (call.called === workflow ? [secretsOf(call.caller, originOfInput(call, name))] : [])),
      );
    ofInputs.set(key, secrets);
    return secrets;
  }

  function secretsOf(workflow: ParsedWorkflow, { secrets, inputs }: Origin): ReadonlySet<string> {
    return merge([secrets, ...[...inputs].map((name) => secretsOfInput(workflow, name))]);
  }

  const ids = new Map<ParsedWorkflow, ReadonlySet<string>>();

  function callersOf(workflow: ParsedWorkflow): ReadonlySet<string> {
    const callers =
      ids.get(workflow) ??
      merge([
        new Set([workflow.workflow.id]),
        ...calls.flatMap(({ caller, called }) => (called === workflow ? [callersOf(caller)] : [])),
      ]);
    ids.set(workflow, callers);
    return callers;
  }

  const uses = new Map<ParsedWorkflow, readonly SecretUse[]>();

  function usesIn(workflow: ParsedWorkflow): readonly SecretUse[] {
    const found =
      uses.get(workflow) ??
      workflow.references.flatMap((use) => {
        const { owner, place, path, mark } = use;
        if (owner === null || place !== "inputs") return [];
        const secrets = secretsOf(workflow, originOfUse(workflow, use));
        return secrets.size === 0 ? [] : [{ owner, path, mark, secrets }];
      });
    uses.set(workflow, found);
    return found;
  }

  return { workflows, usesIn, callersOf };
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
