import type { z } from "zod";

/** The type of a task that has none, so that the rest of it can be checked. */
export const NO_TYPE = "no/type.given";

/**
 * The data of a workflow without what its schema refuses, so that a check finds in one go what is wrong with the rest. A task keeps its
 * index.
 */
export function repair(data: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy: unknown = structuredClone(data);
  for (const { code, path, ...issue } of issues) {
    if (code === "unrecognized_keys" && "keys" in issue) for (const key of issue.keys) remove(copy, [...path, key]);
    else if (path[0] === "trigger" || path[2] === "retry") remove(copy, path.slice(0, path[0] === "trigger" ? 1 : 3));
    else remove(copy, path);
  }
  if (!isMap(copy)) return copy;
  const { tasks, inputs, secrets } = copy;
  return {
    apiVersion: "v1",
    id: "none",
    ...copy,
    ...(Array.isArray(tasks) ? { tasks: tasks.map(repairTask) } : {}),
    ...(Array.isArray(secrets) ? { secrets: secrets.filter((name) => name !== undefined) } : {}),
    ...(isMap(inputs) ? { inputs: Object.fromEntries(Object.entries(inputs).map(repairInput)) } : {}),
  };
}

function repairInput([name, input]: [string, unknown]): [string, unknown] {
  return [name, isMap(input) ? { type: "json", ...input } : { type: "json" }];
}

function repairTask(task: unknown, index: number): unknown {
  const { needs, ...known } = isMap(task) ? task : {};
  const given = Array.isArray(needs) ? { needs: needs.filter((need) => need !== undefined) } : {};
  return { id: `task-${index}`, type: NO_TYPE, ...known, ...given };
}

function remove(data: unknown, path: readonly PropertyKey[]): void {
  const [key, ...rest] = path;
  if (key === undefined || typeof data !== "object" || data === null) return;
  if (rest.length > 0) remove(Reflect.get(data, key), rest);
  // The others in a list keep their index.
  else if (Array.isArray(data)) Reflect.set(data, key, undefined);
  else Reflect.deleteProperty(data, key);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
