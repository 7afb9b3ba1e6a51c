import type { Action, Plugin } from "@autokestra/plugin-sdk";
import {
  AutokestraError,
  type ScopeOptions,
  type SecretResolver,
  type SecretScope,
  type SecretSource,
} from "@autokestra/secrets-core";
import { createSecretResolver, type ResolverOptions, toText } from "@autokestra/secrets-resolver";
import type { PluginSource } from "../plugin-host/plugin-host.ts";
import { inputsAsText, respelledNumbers } from "../workflow/check-values.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { Problem, WorkflowProblem } from "../workflow/problem.ts";
import { workflowPlugin } from "./call-workflow.ts";
import { allCalled, type CalledWorkflows, loadCalls } from "./called-workflows.ts";
import { findUnknownActions } from "./check-actions.ts";
import { refuseRespelled } from "./inputs.ts";
import { checkSecretPlaces } from "./secret-places.ts";
import { createSecretRules, findForbiddenUses, type SecretRules } from "./secret-rules.ts";

/** What a run needs to start. */
export interface PreparedRun {
  readonly scope: SecretScope;
  /** The actions, by type. */
  readonly actions: ReadonlyMap<string, Action>;
  /** The workflows that it calls, by the id of the task. */
  readonly calls: CalledWorkflows;
  /** What its secrets say about who may use them. */
  readonly rules: SecretRules;
  /** Problems that do not stop the run: expired secrets. */
  readonly warnings: readonly Problem[];
}

export interface PrepareOptions {
  /** The sources to look for each declared secret in, in this order. */
  readonly sources: readonly SecretSource[];
  readonly plugins: readonly Plugin[];
  /** Finds the plugins of other actions. Default: there are none. */
  readonly loadPlugins?: PluginSource | undefined;
  /** How they are asked. Default: names are bound to nothing, within 10 seconds. */
  readonly resolution?: ResolverOptions | undefined;
  /** Of the scope that is opened. Default: no credentials are made. */
  readonly scope?: ScopeOptions | undefined;
  /** Inputs by name, as text. Default: none. */
  readonly given?: Readonly<Record<string, string>> | undefined;
}

/**
 * Finds every action and every declared secret, and resolves every reference to a secret once, before the first task
 * starts.
 *
 * @throws WorkflowError with all problems found
 * @throws AutokestraError `INPUT_INVALID`, `SECRETS_MISSING`, `SOURCE_FAILED`, and what a source throws
 */
export async function prepareRun(
  parsed: ParsedWorkflow,
  { sources, resolution, scope: scopeOptions = {}, plugins, loadPlugins, given = {} }: PrepareOptions,
): Promise<PreparedRun> {
  const { calls, problems } = await loadCalls(parsed);
  const actions = await loadActions([parsed, ...allCalled(calls)], plugins, loadPlugins);
  parsed.failIfAny(findUnknownActions(parsed, actions));
  parsed.failIfAny([...respelledNumbers(parsed, actions), ...checkSecretPlaces(parsed, actions)]);
  refuseRespelled(parsed.workflow, given, inputsAsText(parsed, actions));
  parsed.failIfAny(problems);
  const called = allCalled(calls);
  for (const each of called) {
    const found = [findUnknownActions, respelledNumbers, checkSecretPlaces].flatMap((find) => find(each, actions));
    each.failIfAny(found);
  }
  const resolver = createSecretResolver(sources, resolution);
  const scope = await openScope(resolver, parsed.workflow.secrets, scopeOptions);
  try {
    if (scopeOptions.signal?.aborted !== true) {
      const forbidden = findForbiddenUses(parsed, calls, scope.secrets);
      for (const each of [parsed, ...called]) {
        each.failIfAny(forbidden.flatMap(({ workflow, problem }) => (workflow === each ? [problem] : [])));
        each.failIfAny(await fieldProblems(each, scope));
      }
    }
  } catch (error) {
    await scope.close();
    throw error;
  }
  return {
    scope,
    actions,
    calls,
    rules: createSecretRules(parsed, calls, scope.secrets),
    warnings: findExpired(scope),
  };
}

/** Of a run that is cancelled meanwhile, empty: it starts no task, and is recorded like any other. */
async function openScope(
  resolver: SecretResolver,
  names: readonly string[],
  options: ScopeOptions,
): Promise<SecretScope> {
  try {
    return await resolver.openScope(names, options);
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
    return await resolver.openScope([]);
  }
}

/** A field that is missing, or a whole object inside a text: known only once the secret is open. */
export async function fieldProblems(parsed: ParsedWorkflow, scope: SecretScope): Promise<WorkflowProblem[]> {
  const problems = parsed.references.map(async ({ result, whole, path, mark }) => {
    if (!("reference" in result) || result.reference.root !== "secrets") return [];
    try {
      const value = await scope.lookup(result.reference);
      if (!whole) toText(result.reference, value);
      return [];
    } catch (error) {
      if (!(error instanceof AutokestraError)) throw error;
      return [parsed.problemAt(path, error, mark)];
    }
  });
  return (await Promise.all(problems)).flat();
}

export function findExpired(scope: SecretScope): Problem[] {
  const now = new Date().toISOString();
  return scope.secrets.flatMap(({ name, expiresAt }) =>
    expiresAt === null || expiresAt > now
      ? []
      : [
          {
            code: "SECRET_EXPIRED",
            message: `Secret '${name}' expired at ${expiresAt}`,
            hint: "Set it again with a new value.",
          },
        ],
  );
}

/** Returns the actions that workflows can call, by type: of the plugins in this process, and of those that are loaded for them. */
export async function loadActions(
  workflows: readonly ParsedWorkflow[],
  plugins: readonly Plugin[],
  loadPlugins: PluginSource | undefined,
): Promise<ReadonlyMap<string, Action>> {
  const known = createActionTable(plugins);
  const others = (await loadPlugins?.(workflows, known)) ?? [];
  return others.length === 0 ? known : createActionTable([...plugins, ...others]);
}

/**
 * Returns the actions of these plugins, by type. The same plugin may be listed twice.
 *
 * @throws AutokestraError `OPTION_INVALID` if two plugins have the same name or action, because one would silently win
 */
export function createActionTable(plugins: readonly Plugin[]): ReadonlyMap<string, Action> {
  const distinct = new Set([...plugins, workflowPlugin]);
  const owners = new Map<string, Plugin>();
  const table = new Map<string, Action>();
  for (const plugin of distinct) {
    for (const [type, action] of plugin.actions) {
      const owner = owners.get(type);
      if (owner !== undefined) throw conflict(`The action '${type}' is in two plugins`, owner, plugin);
      owners.set(type, plugin);
      table.set(type, action);
    }
  }
  const named = new Map<string, Plugin>();
  for (const plugin of distinct) {
    const twin = named.get(plugin.name);
    if (twin !== undefined) throw conflict(`Two plugins are named '${plugin.name}'`, twin, plugin);
    named.set(plugin.name, plugin);
  }
  return table;
}

function conflict(message: string, one: Plugin, other: Plugin): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `${message}: ${describe(one)} and ${describe(other)}`, {
    hint: "Give one of them another name, or leave it out.",
  });
}

/** With the actions, because two plugins of one name differ only in these. */
function describe({ name, actions }: Plugin): string {
  return `${name} (${[...actions.keys()].join(", ")})`;
}
