import { AutokestraError, quoteText } from "./errors.ts";
import { isIdentifier, type SecretName } from "./secret-name.ts";

/** Who may use a secret. An empty list is no rule: everybody may. Several rules must all be met. */
export interface SecretAllow {
  /** The ids of workflows: `deploy`. */
  readonly workflows: readonly string[];
  /** The types of tasks: `core/http.request`, or `core/http.*` for every action of a plugin. */
  readonly taskTypes: readonly string[];
  /**
   * The hosts that it may be sent to: `api.example.com`, `api.example.com:8443`, or `*.example.com` for every name
   * below `example.com`. If there are hosts and no task types, only tasks of `core/http.*` may use it.
   */
  readonly hosts: readonly string[];
}

/** A change of who may use a secret. A list replaces the stored one, and an empty one removes it. Default: keep it. */
export type AllowChange = { readonly [Rule in keyof SecretAllow]?: readonly string[] | undefined };

/** The rules, in the order in which they are stored and shown. */
export const ALLOW_RULES: readonly (keyof SecretAllow)[] = ["workflows", "taskTypes", "hosts"];

/** What an item of each rule is, and how it is written. */
const ITEMS: Readonly<Record<keyof SecretAllow, { noun: string; isValid: (text: string) => boolean; hint: string }>> = {
  workflows: {
    noun: "workflow",
    isValid: isIdentifier,
    hint: "Give the id of a workflow: letters, digits, underscore and hyphen.",
  },
  taskTypes: {
    noun: "task type",
    isValid: (text) => /^[a-z0-9-]{1,100}\/[a-z0-9-]{1,100}\.(?:[a-z0-9-]{1,100}|\*)$/.test(text),
    hint: "Write core/http.request, or core/http.* for every action of a plugin.",
  },
  hosts: {
    noun: "host",
    isValid: isHost,
    hint: "Write api.example.com, api.example.com:8443 or *.example.com, without a scheme and a path.",
  },
};

/** The maximum number of items of one rule. */
const MAX_ITEMS = 100;

/** What a secret with hosts and without task types may be used by. */
const SENDS_REQUESTS: readonly string[] = ["core/http.*"];

/**
 * Returns the policy of a secret after a change, as canonical JSON; null if no rule is left.
 *
 * @param policy what is stored
 * @param change null removes all rules
 * @throws AutokestraError `VALUE_INVALID`; `STORE_TOO_NEW` if what is stored cannot be read
 */
export function changePolicy(name: SecretName, policy: string | null, change: AllowChange | null): string | null {
  if (change === null) return null;
  // What is replaced as a whole need not be readable.
  const isWhole = ALLOW_RULES.every((rule) => change[rule] !== undefined);
  const stored = readPolicy(name, isWhole ? null : policy);
  const lists = ALLOW_RULES.flatMap((rule) => {
    const items = normalize(name, rule, change[rule] ?? stored[rule]);
    return items.length === 0 ? [] : [[rule, items] as const];
  });
  return lists.length === 0 ? null : JSON.stringify(Object.fromEntries(lists));
}

/**
 * Reads a stored policy. One that has anything unknown in it allows nobody.
 *
 * @throws AutokestraError `STORE_TOO_NEW`
 */
export function readPolicy(name: string, policy: string | null): SecretAllow {
  const allow = parsePolicy(policy);
  if (allow !== null) return allow;
  throw new AutokestraError("STORE_TOO_NEW", `Secret '${quoteText(name)}' has rules of use that cannot be read`, {
    hint: "A newer version of autokestra has written them: use that one, or remove the rules.",
  });
}

/** Parses a stored policy; null for one that has anything unknown in it. */
export function parsePolicy(policy: string | null): SecretAllow | null {
  const none: SecretAllow = { workflows: [], taskTypes: [], hosts: [] };
  if (policy === null) return none;
  try {
    const data: unknown = JSON.parse(policy);
    if (typeof data !== "object" || data === null || Array.isArray(data)) return null;
    const lists = Object.entries(data);
    if (!lists.every(([rule, items]) => isRule(rule) && isListOf(items, ITEMS[rule].isValid))) return null;
    return { ...none, ...data };
  } catch {
    return null;
  }
}

/** Returns the types of the tasks that may use a secret; empty: all. */
export function allowedTaskTypes({ taskTypes, hosts }: SecretAllow): readonly string[] {
  return taskTypes.length === 0 && hosts.length > 0 ? SENDS_REQUESTS : taskTypes;
}

/** Tells whether a list of types, such as {@link allowedTaskTypes}, has the type of a task. An empty one has all. */
export function allowsTaskType(types: readonly string[], type: string): boolean {
  const all = type.replace(/\.[^.]*$/, ".*");
  return types.length === 0 || types.includes(type) || types.includes(all);
}

function normalize(name: SecretName, rule: keyof SecretAllow, items: readonly string[]): readonly string[] {
  const { noun, isValid, hint } = ITEMS[rule];
  const written = rule === "hosts" ? items.map((item) => item.toLowerCase()) : items;
  if (!written.every(isValid)) {
    // What was given is not repeated: a URL can have a password in it.
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}': one of the ${noun}s is not valid`, { hint });
  }
  const unique = [...new Set(written)].toSorted();
  if (unique.length <= MAX_ITEMS) return unique;
  throw new AutokestraError("VALUE_INVALID", `Secret '${name}': at most ${MAX_ITEMS} ${noun}s can be allowed`);
}

function isRule(rule: string): rule is keyof SecretAllow {
  return Object.hasOwn(ITEMS, rule);
}

function isListOf(items: unknown, isValid: (text: string) => boolean): boolean {
  return Array.isArray(items) && items.length > 0 && items.every((item) => typeof item === "string" && isValid(item));
}

function isHost(text: string): boolean {
  // Not a constant: V8 reads `\p` wherever it comes by, which takes a millisecond of every command.
  const host = /^(?:(\*\.)?([\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*)\.?|\[[\da-f:.]{2,45}\])(?::([1-9]\d{0,4}))?$/u;
  const found = host.exec(text);
  return found !== null && text.length <= 260 && Number(found[3] ?? "1") <= 65535;
}
