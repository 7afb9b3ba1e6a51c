import { changeYaml, didYouMean, type ListChange, type TextChange, type YamlPath } from "@autokestra/config/yaml";
import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import { AutokestraError, parseSecretName, type SecretName } from "@autokestra/secrets-core";
import { holdsToken, quoteText } from "@autokestra/secrets-core/internal";
import { createMasker } from "@autokestra/secrets-masker";
import { findInlineCredentials, type InlineCredentials, lastKey, placeOf } from "../workflow/credentials.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { Problem } from "../workflow/problem.ts";
import { allTasks, taskAt } from "../workflow/workflow.ts";
import { secretInputs } from "./check-actions.ts";
import { createActionTable } from "./prepare-run.ts";

/** A credential of a workflow file that becomes a secret. */
export interface AdoptedCredential {
  readonly name: SecretName;
  /** The credential, as the file has it. */
  readonly value: string;
  /** Where it is: `'auth.bearer' of task 'fetch'`. */
  readonly places: readonly string[];
}

/** How credentials leave a workflow file. {@link adoptCredentials} plans it; nothing is stored or written yet. */
export interface Adoption {
  /** One for each value. */
  readonly secrets: readonly AdoptedCredential[];
  /** The file with references and declarations in their place. Everything else in it is as it was. */
  readonly source: string;
  /** The file before and after, with every credential masked, for people. */
  readonly shown: { readonly before: string; readonly after: string };
  /** Credentials that only a person can remove: in the default of an input, in a comment. */
  readonly left: readonly Problem[];
}

export interface AdoptOptions {
  /** Default: the core plugins. */
  readonly plugins?: readonly Plugin[];
  /** Names that no new secret can have, because others have them. Default: none. */
  readonly taken?: Iterable<string>;
  /** Names to use instead of proposed ones. Default: none. */
  readonly names?: ReadonlyMap<string, string>;
}

/**
 * Finds the credentials in a workflow file, and returns the file with references instead of them. Use it to move a
 * workflow of another engine, or one that grew without secrets: store the secrets that it returns, then write the file.
 *
 * @throws AutokestraError `NAME_INVALID` for a name in `names`; `OPTION_INVALID` for one that replaces no proposed name
 * @example
 * ```ts
 * import { adoptCredentials, parseWorkflow } from "@autokestra/engine";
 *
 * const file = `apiVersion: v1
 * id: demo
 * tasks:
 *   - id: fetch
 *     type: core/http.get
 *     inputs: { url: "https://api.example.com", auth: { bearer: t0ken-of-mine } }
 * `;
 * const { secrets, source } = adoptCredentials(parseWorkflow(file, "demo.yaml"));
 * console.log(secrets[0]?.name); // FETCH_BEARER
 * console.log(source.includes('{ bearer: "{{ secrets.FETCH_BEARER }}" }')); // true
 * ```
 */
export function adoptCredentials(parsed: ParsedWorkflow, options: AdoptOptions = {}): Adoption {
  const { plugins = corePlugins, taken = [], names = new Map() } = options;
  const found = findInlineCredentials(parsed, secretInputs(createActionTable(plugins)));
  const adopted = adoptable(parsed, found);
  const secrets = nameCredentials(parsed, adopted, new Set([...taken, ...parsed.workflow.secrets]), names);
  const change = (write: (name: SecretName) => string, lists: readonly ListChange[]) =>
    changeYaml(
      parsed.source,
      adopted.map((credentials) => rewrite(credentials, (value) => write(nameOf(secrets, value)))),
      lists,
    ) ?? parsed.source;
  const source = change((name) => `{{ secrets.${name} }}`, declarations(parsed, adopted, secrets));
  const masker = createMasker(secrets);
  const shown = (text: string) => masker.mask(text).replace(/^.*$/gm, (line) => (holdsToken(line) ? HIDDEN : line));
  return {
    secrets,
    source,
    shown: { before: shown(change(() => PLACEHOLDER, [])), after: shown(source) },
    left: [
      ...found.filter((one) => !adopted.includes(one)).map(({ path }) => leftInPlace(parsed, path)),
      ...leftElsewhere(source, secrets),
    ],
  };
}

const PLACEHOLDER = "***SECRET***";
const HIDDEN = "[a line with what looks like a token is not shown]";
const BY_HAND = "Take it out of the file, and store it as a secret.";

/** References are allowed in the inputs of tasks only, and a text behind an alias belongs to another place, too. */
function adoptable({ source }: ParsedWorkflow, found: readonly InlineCredentials[]): readonly InlineCredentials[] {
  const inInputs = found.filter(
    ({ path, text }) => path[0] !== "inputs" && path[2] === "inputs" && !text.includes("\\{{"),
  );
  const canChange = (some: readonly InlineCredentials[]) =>
    changeYaml(
      source,
      some.map((credentials) => rewrite(credentials, () => "{{ secrets.A }}")),
    ) !== null;
  // All at once: each change reads the whole file.
  return canChange(inInputs) ? inInputs : inInputs.filter((one) => canChange([one]));
}

/** The names for the workflow, and for each task that may use only some of them. */
function declarations(
  { workflow }: ParsedWorkflow,
  adopted: readonly InlineCredentials[],
  secrets: readonly AdoptedCredential[],
): ListChange[] {
  const missing = (names: readonly SecretName[], declared: readonly string[]) =>
    [...new Set(names)].filter((name) => !declared.includes(name));
  const narrowed = allTasks(workflow).flatMap(({ task, list, index }) => {
    if (task.secrets === undefined) return [];
    const used = adopted
      .filter(({ path }) => path[0] === list && path[1] === index)
      .flatMap(({ text, spans }) => spans.map(({ start, end }) => nameOf(secrets, text.slice(start, end))));
    return [{ path: [list, index, "secrets"], names: missing(used, task.secrets) }];
  });
  const names = secrets.map(({ name }) => name);
  return [{ path: ["secrets"], names: missing(names, workflow.secrets), after: "id" }, ...narrowed];
}

function rewrite({ path, text, spans }: InlineCredentials, write: (value: string) => string): TextChange {
  const written = spans.toReversed().reduce((rest, { start, end }) => {
    return rest.slice(0, start) + write(text.slice(start, end)) + rest.slice(end);
  }, text);
  return { path, text: written };
}

/** @throws AutokestraError `NAME_INVALID`; `OPTION_INVALID` for a name instead of one that is not proposed */
function nameCredentials(
  parsed: ParsedWorkflow,
  found: readonly InlineCredentials[],
  taken: Set<string>,
  names: ReadonlyMap<string, string>,
): AdoptedCredential[] {
  const secrets = new Map<string, AdoptedCredential>();
  const proposed = new Set<string>();
  const nameOne = (path: YamlPath) => {
    const free = freeName(proposal(parsed, path), taken);
    proposed.add(free);
    return parseSecretName(names.get(free) ?? free);
  };
  for (const { path, text, spans } of found) {
    const place = placeOf(parsed, path);
    for (const value of spans.map(({ start, end }) => text.slice(start, end))) {
      const known = secrets.get(value);
      const name = known?.name ?? nameOne(path);
      taken.add(name);
      secrets.set(value, { name, value, places: [...new Set([...(known?.places ?? []), place])] });
    }
  }
  for (const name of names.keys()) {
    if (proposed.has(name)) continue;
    const hint = didYouMean(name, [...proposed]);
    throw new AutokestraError("OPTION_INVALID", `No secret would get the name '${quoteText(name)}'`, { hint });
  }
  return [...secrets.values()];
}

/** `FETCH_BEARER` for `auth.bearer` of the task `fetch`. */
function proposal({ workflow }: ParsedWorkflow, path: YamlPath): string {
  return `${taskAt(workflow, path)?.id ?? ""}_${lastKey(path)}`
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, "_")
    .slice(0, 200);
}

function freeName(proposed: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? proposed : `${proposed}_${number}`;
    if (!taken.has(name)) return name;
  }
}

function nameOf(secrets: readonly AdoptedCredential[], value: string): SecretName {
  const secret = secrets.find((one) => one.value === value);
  if (secret === undefined) throw new TypeError("a credential without a name");
  return secret.name;
}

function leftInPlace(parsed: ParsedWorkflow, path: readonly (string | number)[]): Problem {
  const message = `${placeOf(parsed, path)} contains what looks like a credential, where a reference is not possible`;
  return { code: "INLINE_CREDENTIAL", severity: "warning", message, hint: BY_HAND, position: parsed.locate(path) };
}

/** Values that are in the new file, too: in comments, in keys. */
function leftElsewhere(source: string, secrets: readonly AdoptedCredential[]): Problem[] {
  return source.split("\n").flatMap((line, index) =>
    secrets
      .filter(({ value }) => value.length >= MIN_CERTAIN && line.includes(value))
      .map(({ name }): Problem => {
        const message = `Line ${index + 1} of the new file still contains the value of ${name}`;
        return { code: "INLINE_CREDENTIAL", severity: "warning", message, hint: BY_HAND };
      }),
  );
}

/** A shorter value is part of other words, too. */
const MIN_CERTAIN = 6;
