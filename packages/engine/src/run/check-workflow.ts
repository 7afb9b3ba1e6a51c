import { dirname, resolve } from "node:path";
import { formatProblem } from "@autokestra/config/yaml";
import type { Action } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import {
  AutokestraError,
  type ErrorCode,
  type Explanation,
  type SecretAnswer,
  type SecretScope,
  type SecretSource,
  type SourceAnswer,
} from "@autokestra/secrets-core";
import { isIdentifier } from "@autokestra/secrets-core/internal";
import { createSecretResolver, type ResolverOptions } from "@autokestra/secrets-resolver";
import { checkAdvice } from "../workflow/advice.ts";
import { respelledNumbers } from "../workflow/check-values.ts";
import { type ParsedWorkflow, readSource, readWorkflow } from "../workflow/parse-workflow.ts";
import type { Problem, WorkflowProblem } from "../workflow/problem.ts";
import { allCalled, type CalledWorkflows, loadCalls } from "./called-workflows.ts";
import { checkActionInputs, findUnknownActions, secretInputs } from "./check-actions.ts";
import { fieldProblems, findExpired, loadActions, type PrepareOptions } from "./prepare-run.ts";
import { checkSecretPlaces } from "./secret-places.ts";
import { findForbiddenUses } from "./secret-rules.ts";

/** `plugins` default to the core plugins. */
export interface CheckOptions extends Pick<PrepareOptions, "sources" | "resolution" | "loadPlugins"> {
  /** Default: the core plugins. */
  readonly plugins?: PrepareOptions["plugins"];
  /** Ask no source outside of this machine. Default: false. */
  readonly offline?: boolean | undefined;
  /** Say where each declared secret comes from. Default: false. */
  readonly explain?: boolean | undefined;
}

/** What {@link checkWorkflow} found in a workflow file. */
export interface WorkflowReport {
  readonly path: string;
  /** Errors first, each kind in the order of the file. */
  readonly problems: readonly Problem[];
  /** Where each declared secret comes from; only where that was asked for. */
  readonly secrets?: readonly Explanation[] | undefined;
  /**
   * Formats a problem of this report for people, with its line of the file and its hint.
   *
   * @param width the width of the terminal, in columns. Default: 100
   */
  format(problem: Problem, width?: number): string;
}

/** Errors that are problems of the workflow. All other errors end the check. */
const FINDINGS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["SECRETS_MISSING", "SOURCE_FAILED", "INTEGRITY_FAILED"]);
/** How long before the expiry of a secret the check warns, in days. */
const SOON_DAYS = 14;

/**
 * Finds everything that is wrong with a workflow file, without running it: keys, graph, references, actions with their
 * inputs, and secrets that are missing or expired. Use it in editors and in continuous integration. A file that cannot
 * be read is a problem in the report, too.
 *
 * @param path the path of the workflow file
 * @throws AutokestraError if a source of secrets fails as a whole, such as `KEY_WRONG`
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { checkWorkflow, createEnvironmentSource } from "@autokestra/engine";
 *
 * const path = `${mkdtempSync("/tmp/demo-")}/demo.yaml`;
 * writeFileSync(path, "{ apiVersion: v1, id: demo, secrets: [TOKEN], tasks: [{ id: say, type: core/console.lgo }] }");
 * const report = await checkWorkflow(path, { sources: [createEnvironmentSource({ TOKEN: "s3cret-t0ken" })] });
 * for (const problem of report.problems) console.log(report.format(problem));
 * ```
 */
export async function checkWorkflow(path: string, options: CheckOptions): Promise<WorkflowReport> {
  let source: string;
  try {
    source = await readSource(path);
  } catch (error) {
    return report(path, "", [toProblem(error)]);
  }
  return await checkSource(source, options, path);
}

/**
 * The same for a text.
 *
 * @param path the file that the text was read from. Default: none, and so no others that it could call
 */
export async function checkSource(source: string, options: CheckOptions, path?: string): Promise<WorkflowReport> {
  const name = path ?? "workflow";
  const read = readWorkflow(source, name);
  const { problems } = read;
  const parsed = read.parsed && { ...read.parsed, folder: path === undefined ? null : dirname(resolve(path)) };
  // What is said of the sources, and what is found with their values, are two questions: each source hears them once.
  const asked = options.explain === true ? askOnce(options) : options;
  const secrets = options.explain === true ? await explainAll(parsed?.workflow.secrets ?? [], asked) : undefined;
  const others = parsed === null ? [] : await checkParsed(parsed, asked);
  return { ...report(name, source, [...problems, ...others]), secrets };
}

/** The same sources, which remember what they have answered. */
function askOnce(options: CheckOptions): CheckOptions {
  const { sources, resolution = {} } = options;
  const { boundOnly = [] } = resolution;
  return {
    ...options,
    sources: sources.map(rememberAnswers),
    resolution: { ...resolution, boundOnly: boundOnly.map(rememberAnswers) },
  };
}

function rememberAnswers(source: SecretSource): SecretSource {
  const { id, policy, leases } = source;
  const answers = new Map<string, Promise<SourceAnswer>>();
  const capabilities = new Map<string, Promise<SecretAnswer<null>>>();
  return {
    id,
    policy,
    lookup: async (name, options) =>
      await once(answers, `${name} ${options?.binding === undefined}`, async () => await source.lookup(name, options)),
    leases: leases && {
      ...leases,
      canCreate: async (binding, signal) =>
        await once(capabilities, binding.lease ?? "", async () => await leases.canCreate(binding, signal)),
    },
  };
}

async function once<Answer>(
  answers: Map<string, Promise<Answer>>,
  key: string,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const answer = answers.get(key) ?? ask();
  answers.set(key, answer);
  return await answer;
}

async function explainAll(
  names: readonly string[],
  { sources, resolution, offline = false }: CheckOptions,
): Promise<readonly Explanation[]> {
  const unasked = offline ? namesOutside(names, sources, resolution) : [];
  const asked = names.filter((name) => !unasked.includes(name) && isIdentifier(name));
  const resolver = createSecretResolver(sources, resolution);
  return await Promise.all(asked.map(async (name) => await resolver.explain(name)));
}

function report(path: string, source: string, problems: readonly Problem[]): WorkflowReport {
  const order = ["error", "warning", "note"];
  const complete = problems.map((problem) => ({ ...problem, severity: problem.severity ?? "error" }));
  // A line with a credential is not shown for its other problems either.
  const hidden = new Set(
    problems.filter(({ code }) => code === "INLINE_CREDENTIAL").map(({ position }) => position?.line),
  );
  return {
    path,
    problems: complete.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity) || byPlace(a, b)),
    format: (problem, width) => formatProblem(problem, path, hidden.has(problem.position?.line) ? null : source, width),
  };
}

function byPlace({ position: a }: Problem, { position: b }: Problem): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}

async function checkParsed(
  parsed: ParsedWorkflow,
  { plugins = corePlugins, loadPlugins, ...options }: CheckOptions,
): Promise<Problem[]> {
  const { calls, problems } = await loadCalls(parsed);
  const table = await loadActions([parsed, ...allCalled(calls)], plugins, loadPlugins);
  return [
    ...problems,
    ...findUnknownActions(parsed, table),
    ...respelledNumbers(parsed, table),
    ...(await checkActionInputs(parsed, table)),
    ...checkSecretPlaces(parsed, table),
    ...(await checkCalls(table, calls)),
    ...(await checkSecrets(parsed, options, calls)),
    ...checkAdvice(parsed, secretInputs(table)),
  ];
}

/** Finds what is wrong with called workflows. Each has its place in the caller, and names its own in the message. */
async function checkCalls(table: ReadonlyMap<string, Action>, calls: CalledWorkflows): Promise<WorkflowProblem[]> {
  const inside = await Promise.all(
    [...allCalled(calls)].map(async (called) => {
      const found = [
        ...findUnknownActions(called, table),
        ...respelledNumbers(called, table),
        ...(await checkActionInputs(called, table)),
        ...checkSecretPlaces(called, table),
      ];
      return found.map((problem) => inCalled(called, problem));
    }),
  );
  return inside.flat();
}

/** A problem of a called workflow, for the report of its caller. */
function inCalled({ path }: ParsedWorkflow, { position, message, ...problem }: WorkflowProblem): WorkflowProblem {
  const place = position === undefined ? path : `${path}:${position.line}:${position.column}`;
  return { ...problem, message: `In ${place}: ${message}` };
}

async function checkSecrets(
  parsed: ParsedWorkflow,
  { sources, resolution, offline = false }: CheckOptions,
  calls: CalledWorkflows,
): Promise<Problem[]> {
  const unasked = offline ? namesOutside(parsed.workflow.secrets, sources, resolution) : [];
  const notes = unasked.map(
    (name): Problem => ({
      code: "SECRET_NOT_CHECKED",
      severity: "note",
      message: `Secret '${name}' was not looked up: it can come from a provider, and no provider was asked`,
      position: parsed.locate(["secrets", parsed.workflow.secrets.indexOf(name)]),
    }),
  );
  return [
    ...notes,
    ...(await checkKnownSecrets(
      parsed,
      parsed.workflow.secrets.filter((name) => !unasked.includes(name)),
      { sources, resolution },
      calls,
    )),
  ];
}

/** The names for which a source outside of this machine would be asked. */
function namesOutside(
  names: readonly string[],
  sources: CheckOptions["sources"],
  { bindings = {}, boundOnly = [] }: ResolverOptions = {},
): readonly string[] {
  const outside = new Set([...sources, ...boundOnly].flatMap(({ id, policy }) => (policy === undefined ? [] : [id])));
  const usual = sources.some(({ id }) => outside.has(id));
  return names.filter((name) => {
    const binding = Object.hasOwn(bindings, name) ? bindings[name] : undefined;
    return binding === undefined ? usual : outside.has(binding.source);
  });
}

async function checkKnownSecrets(
  parsed: ParsedWorkflow,
  names: readonly string[],
  { sources, resolution }: CheckOptions,
  calls: CalledWorkflows,
): Promise<Problem[]> {
  let scope: SecretScope;
  try {
    scope = await createSecretResolver(sources, resolution).openScope(names);
  } catch (error) {
    // Invalid names were found with the references.
    if (error instanceof AutokestraError && error.code === "NAME_INVALID") return [];
    return [{ ...toProblem(error), position: parsed.locate(["secrets"]) }];
  }
  try {
    // Undeclared secrets were found with the references; credentials that are created for a run do not exist yet.
    const fields = (await fieldProblems(parsed, scope)).filter(({ code }) => code !== "SECRET_NOT_DECLARED");
    const forbidden = findForbiddenUses(parsed, calls, scope.secrets).map(({ workflow, problem }) =>
      workflow === parsed ? problem : inCalled(workflow, problem),
    );
    return [...forbidden, ...fields, ...findExpired(scope), ...findExpiring(scope, parsed)];
  } finally {
    await scope.close();
  }
}

function findExpiring(scope: SecretScope, parsed: ParsedWorkflow): Problem[] {
  const now = Date.now();
  return scope.secrets.flatMap(({ name, expiresAt }) => {
    const days = expiresAt === null ? Number.POSITIVE_INFINITY : (Date.parse(expiresAt) - now) / 86_400_000;
    if (days <= 0 || days > SOON_DAYS) return [];
    const position = parsed.locate(["secrets", parsed.workflow.secrets.indexOf(name)]);
    const message = `Secret '${name}' expires at ${expiresAt}`;
    return [
      { code: "SECRET_EXPIRES_SOON", severity: "warning", message, hint: "Renew it before then.", position } as const,
    ];
  });
}

function toProblem(error: unknown): Problem {
  if (!(error instanceof AutokestraError)) throw error;
  const { code, message, hint, details } = error;
  if (FINDINGS.has(code) || code.startsWith("WORKFLOW_")) return { code, message, hint, details };
  throw error;
}
