import { allowsHost, intersectHosts, type NetworkPolicy } from "@autokestra/plugin-sdk";
import {
  AutokestraError,
  type ErrorDetails,
  type ResolvedSecret,
  type SecretAllow,
  type SecretScope,
} from "@autokestra/secrets-core";
import { allowedTaskTypes, allowsTaskType, isUrl, secretNotDeclared } from "@autokestra/secrets-core/internal";
import { createMasker } from "@autokestra/secrets-masker";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { WorkflowProblem } from "../workflow/problem.ts";
import { type PlacedTask, type Task, WORKFLOW_CALL } from "../workflow/workflow.ts";
import type { CalledWorkflows } from "./called-workflows.ts";
import { findHeldSecrets, type HeldSecrets, type SecretUse } from "./held-secrets.ts";
import { type MaskedValue, secretValues } from "./secret-values.ts";
import { EngineFailure } from "./task-failure.ts";

/** A secret that says who may use it. */
interface RestrictedSecret {
  readonly name: string;
  readonly allow: SecretAllow;
}

type Rule = ErrorDetails["SECRET_NOT_ALLOWED"]["rule"];

/** A problem, and the workflow it is in: the one that runs, or one that it calls. */
export interface PlacedProblem {
  readonly workflow: ParsedWorkflow;
  readonly problem: WorkflowProblem;
}

/** Finds uses of secrets that their rules do not allow, as far as that is known without running anything. */
export function findForbiddenUses(
  root: ParsedWorkflow,
  calls: CalledWorkflows,
  secrets: readonly ResolvedSecret[],
): PlacedProblem[] {
  const restricted = restrictedOf(secrets);
  if (restricted.length === 0) return [];
  const held = findHeldSecrets(root, calls);
  return held.workflows.flatMap((workflow) => {
    const ids = allIdsOf(root, held, workflow);
    return restricted
      .flatMap((secret) => [...workflowProblem(workflow, ids, secret, held), ...taskProblems(workflow, secret, held)])
      .concat(disjointHosts(workflow, restricted, held))
      .map((problem) => ({ workflow, problem }));
  });
}

/** Decides for each attempt of a task whether it may have the secrets in its inputs. */
export interface SecretRules {
  /** Makes another text of a value known, such as a filtered one. */
  add(values: readonly MaskedValue[]): void;
  /**
   * Checks the resolved inputs of a task.
   *
   * @returns where the task may connect to; undefined for anywhere
   * @throws EngineFailure `SECRET_NOT_ALLOWED`
   */
  check(workflow: ParsedWorkflow, task: Task, name: string, inputs: unknown): NetworkPolicy | undefined;
}

const NO_RULES: SecretRules = { add: () => undefined, check: () => undefined };

/**
 * Creates the rules of one run. Secrets in inputs are known by the references that lead there and, because an action can pass
 * them on, by their values, in every form that is masked.
 */
export function createSecretRules(
  root: ParsedWorkflow,
  calls: CalledWorkflows,
  secrets: readonly ResolvedSecret[],
): SecretRules {
  const restricted = restrictedOf(secrets);
  if (restricted.length === 0) return NO_RULES;
  const names = new Set(restricted.map(({ name }) => name));
  const held = findHeldSecrets(root, calls);
  const detector = createMasker(secretValues(secrets.filter(({ name }) => names.has(name))));

  /** The counts of what was found grow with every value. */
  function namesIn(inputs: unknown): ReadonlySet<string> {
    const before = detector.report();
    detector.maskValue(inputs);
    const after = Object.entries(detector.report());
    return new Set(after.flatMap(([name, { count }]) => (count > (before[name]?.count ?? 0) ? [name] : [])));
  }

  return {
    add: (values) => detector.add(values.filter(({ name }) => names.has(name))),
    check(workflow, task, name, inputs) {
      const uses = held.usesIn(workflow).filter(({ owner }) => owner.task === task);
      const found = namesIn(inputs);
      const inside = restricted.filter((secret) => found.has(secret.name) || isHeld(uses, secret));
      const ids = allIdsOf(root, held, workflow);
      for (const secret of inside) {
        const refused = refuseWorkflow(secret, ids) ?? refuseTaskType(secret, task, name);
        if (refused !== null) throw new EngineFailure(refused.code, refused.message);
      }
      return task.type === WORKFLOW_CALL ? undefined : networkOf(inside);
    },
  };
}

/** Returns the part of a scope that has only these names. Default: all of it. */
export function narrowScope(
  scope: Pick<SecretScope, "lookup">,
  names: readonly string[] | undefined,
): Pick<SecretScope, "lookup"> {
  if (names === undefined) return scope;
  return {
    async lookup(reference) {
      if (!names.includes(reference.name)) throw secretNotDeclared(reference.name);
      return await scope.lookup(reference);
    },
  };
}

function restrictedOf(secrets: readonly ResolvedSecret[]): RestrictedSecret[] {
  return secrets.flatMap(({ name, allow }) => (allow === undefined ? [] : [{ name, allow }]));
}

function isHeld(uses: readonly SecretUse[], { name }: RestrictedSecret): boolean {
  return uses.some(({ secrets }) => secrets.has(name));
}

/** Null for a workflow that was not read from a file, whose id nobody vouches for. */
function allIdsOf(root: ParsedWorkflow, held: HeldSecrets, workflow: ParsedWorkflow): ReadonlySet<string> | null {
  return root.folder === null ? null : held.callersOf(workflow);
}

function workflowProblem(
  workflow: ParsedWorkflow,
  ids: ReadonlySet<string> | null,
  secret: RestrictedSecret,
  held: HeldSecrets,
): WorkflowProblem[] {
  const declared = workflow.workflow.secrets.indexOf(secret.name);
  const use = held.usesIn(workflow).find(({ secrets }) => secrets.has(secret.name));
  const refused = declared === -1 && use === undefined ? null : refuseWorkflow(secret, ids);
  if (refused === null) return [];
  if (declared !== -1 || use === undefined) return [workflow.problemAt(["secrets", declared], refused)];
  return [workflow.problemAt(use.path, refused, use.mark)];
}

/** One problem for each task, at the first place that has the secret. */
function taskProblems(workflow: ParsedWorkflow, secret: RestrictedSecret, held: HeldSecrets): WorkflowProblem[] {
  const uses = held.usesIn(workflow).filter(({ secrets }) => secrets.has(secret.name));
  const firsts = uses.filter(({ owner }, index) => uses.findIndex((use) => use.owner.task === owner.task) === index);
  return firsts.flatMap(({ owner, path, mark }) => {
    const refusedType = refuseTaskType(secret, owner.task, owner.task.id);
    if (refusedType !== null) return [workflow.problemAt(path, refusedType, mark)];
    const refusedHost = refuseHost(secret, owner.task);
    return refusedHost === null ? [] : [workflow.problemAt([owner.list, owner.index, "inputs", "url"], refusedHost)];
  });
}

/** Finds tasks with several secrets that have no host in common. */
function disjointHosts(
  workflow: ParsedWorkflow,
  restricted: readonly RestrictedSecret[],
  held: HeldSecrets,
): WorkflowProblem[] {
  const owners = new Map<Task, PlacedTask>(held.usesIn(workflow).map(({ owner }) => [owner.task, owner]));
  return [...owners].flatMap(([task, { list, index }]) => {
    const uses = held.usesIn(workflow).filter(({ owner }) => owner.task === task);
    const { hosts, secrets = [] } = networkOf(restricted.filter((secret) => isHeld(uses, secret))) ?? {};
    if (hosts === undefined || hosts.length > 0 || task.type === WORKFLOW_CALL) return [];
    const message = `Secrets ${secrets.join(", ")} may not be used together by task '${task.id}': they allow no host in common`;
    return [workflow.problemAt([list, index, "inputs"], notAllowed(secrets, "hosts", message))];
  });
}

function refuseWorkflow(
  { name, allow: { workflows } }: RestrictedSecret,
  ids: ReadonlySet<string> | null,
): AutokestraError | null {
  if (workflows.length === 0) return null;
  const allows = `it allows the workflows ${workflows.join(", ")}`;
  if (ids === null) {
    const message = `Secret '${name}' may not be used by a workflow that was not read from a file: ${allows}`;
    return notAllowed([name], "workflows", message);
  }
  const other = [...ids].find((id) => !workflows.includes(id));
  if (other === undefined) return null;
  return notAllowed([name], "workflows", `Secret '${name}' may not be used by workflow '${other}': ${allows}`);
}

/** What is given to a called workflow is checked in the tasks of that. */
function refuseTaskType({ name, allow }: RestrictedSecret, { type }: Task, task: string): AutokestraError | null {
  const types = allowedTaskTypes(allow);
  if (type === WORKFLOW_CALL || allowsTaskType(types, type)) return null;
  const why = allow.taskTypes.length > 0 ? "" : ", because it allows only certain hosts";
  const message = `Secret '${name}' may not be used by task '${task}' (${type}): it allows the task types ${types.join(", ")}${why}`;
  return notAllowed([name], "taskTypes", message);
}

/** Null where only a run knows the host. */
function refuseHost({ name, allow: { hosts } }: RestrictedSecret, { id, type, inputs }: Task): AutokestraError | null {
  const { url } = inputs;
  if (hosts.length === 0 || !type.startsWith("core/http.") || typeof url !== "string") return null;
  const [origin = ""] = /^[a-z]+:\/\/[^/?#\\]*/i.exec(url) ?? [];
  if (origin.includes("{{") || !isUrl(origin)) return null;
  const target = new URL(origin);
  if (allowsHost(hosts, target)) return null;
  const message = `Secret '${name}' may not be sent to '${target.host}' by task '${id}': it allows the hosts ${hosts.join(", ")}`;
  return notAllowed([name], "hosts", message);
}

/** The hosts that all of them allow. */
function networkOf(secrets: readonly RestrictedSecret[]): NetworkPolicy | undefined {
  const limiting = secrets.filter(({ allow }) => allow.hosts.length > 0);
  const [first, ...others] = limiting.map(({ allow }) => allow.hosts);
  if (first === undefined) return undefined;
  return { hosts: others.reduce(intersectHosts, first), secrets: limiting.map(({ name }) => name) };
}

function notAllowed(names: readonly string[], rule: Rule, message: string): AutokestraError {
  return new AutokestraError("SECRET_NOT_ALLOWED", message, {
    details: { names, rule } satisfies ErrorDetails["SECRET_NOT_ALLOWED"],
  });
}
