import { format } from "node:util";
import { createMasker } from "@autokestra/secrets-masker";
import { jsonText } from "../host/json-text.ts";
import { secretTexts } from "../host/secret-texts.ts";
import { invokeAction } from "../invoke-action.ts";
import type { Action } from "../plugin.ts";
import { createTestContext, type LogLine, type TestContextOptions } from "./test-context.ts";

/** A secret that an action has shown: where, and in which form. It never contains the value. */
export interface Leak {
  /** The name of the secret. */
  readonly secret: string;
  /** `output.body.url`, `log line 2`, `error`, `print stdout`, `stderr`. */
  readonly place: string;
  /** The ways in which it is written there, such as `value`, `base64` or `percent`. */
  readonly variants: readonly string[];
}

/** What an action did that showed none of its secrets. `error` is what it has thrown. */
export interface CleanRun<Output> {
  readonly output: Output | undefined;
  readonly lines: readonly LogLine[];
  readonly error?: unknown;
}

/** Thrown by {@link expectNoLeak}. */
export class LeakError extends Error {
  override readonly name = "LeakError";
  readonly leaks: readonly Leak[];

  constructor(leaks: readonly Leak[]) {
    const shown = leaks.map(({ secret, place, variants }) => `${secret} in ${place} (${variants.join(", ")})`);
    super(`The action shows a secret: ${shown.join("; ")}`);
    this.leaks = leaks;
  }
}

/**
 * Runs an action in a test and proves that it shows none of these secrets: not in its output, log lines, error, what it prints with
 * `context.print`, or what the process prints meanwhile with `console`, `process.stdout` and `process.stderr`, in every form that the
 * masker of a run knows: base64, percent-encoded, in JSON, split over lines and so on. Places that the action declares as
 * `secretOutputs`, or marks in its output schema, may hold them.
 *
 * A run masks all of this anyway. An action that passes does not rely on it.
 *
 * @param input what the task would give, with the secrets in it
 * @param secrets the values to look for, by name; values of fewer than 4 characters cannot be found
 * @returns what the action did; an error that it throws is part of that
 * @throws LeakError with all leaks found
 * @throws TypeError if a secret cannot be looked for
 * @example
 * ```ts
 * import { defineAction, z } from "@autokestra/plugin-sdk";
 * import { expectNoLeak } from "@autokestra/plugin-sdk/testing";
 *
 * const login = defineAction({
 *   input: z.strictObject({ password: z.string() }),
 *   run: ({ password }) => ({ header: `Basic ${btoa(`ada:${password}`)}` }),
 * });
 * await expectNoLeak(login, { password: "hunter2-hunter2" }, { PASSWORD: "hunter2-hunter2" }).catch(({ message }) =>
 *   console.log(message), // prints The action shows a secret: PASSWORD in output.header (base64)
 * );
 * ```
 */
export async function expectNoLeak<Output>(
  action: Action<unknown, Output>,
  input: unknown,
  secrets: Readonly<Record<string, unknown>>,
  options?: TestContextOptions,
): Promise<CleanRun<Output>> {
  const find = createFinder(secrets);
  const context = createTestContext(options);
  const printed = { stdout: "", stderr: "" };
  const restore = (["stdout", "stderr"] as const).map((name) => watchStream(name, (text) => (printed[name] += text)));
  let output: Output | undefined;
  let failure: { readonly error: unknown } | undefined;
  try {
    output = await invokeAction(action, input, context);
    // What a callback prints right after the end counts too.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    failure = { error };
  } finally {
    for (const undo of restore) undo();
  }
  const { lines, printed: printedByContext } = context;
  const leaks = [
    ...leaksIn(output, "output", find, action.secretOutputs ?? []),
    ...lines.flatMap((line, index) => find(textOf(line), `log line ${index + 1}`)),
    ...(failure === undefined ? [] : find(textOf(failure.error), "error")),
    ...(["stdout", "stderr"] as const).flatMap((name) => [
      ...find(printedByContext[name], `print ${name}`),
      ...find(printed[name], name),
    ]),
  ];
  if (leaks.length > 0) throw new LeakError(leaks);
  return { output, lines, ...failure };
}

type Find = (text: string, place: string) => Leak[];

function createFinder(secrets: Readonly<Record<string, unknown>>): Find {
  const values = Object.entries(secrets).flatMap(([name, value]) =>
    secretTexts(value).map((text) => ({ name, value: text })),
  );
  const unfindable = createMasker(values).unmaskable();
  const empty = Object.keys(secrets).filter((name) => !values.some((value) => value.name === name));
  const [wrong] = [...empty, ...unfindable];
  if (wrong !== undefined)
    throw new TypeError(`The secret '${wrong}' is empty, too short or too common to be looked for`);
  if (values.length === 0) throw new TypeError("There is no secret to look for");
  return (text, place) => {
    // A masker of its own for each place, because it counts.
    const masker = createMasker(values);
    masker.mask(text);
    return Object.entries(masker.report()).map(([secret, { variants }]) => ({ secret, place, variants }));
  };
}

/** @param allowed the paths where the action says that secrets are */
function leaksIn(value: unknown, place: string, find: Find, allowed: readonly string[]): Leak[] {
  if (allowed.includes("*") && (typeof value !== "object" || value === null)) return [];
  if (typeof value !== "object" || value === null) return value === undefined ? [] : find(textOf(value), place);
  return Object.entries(toPlain(value)).flatMap(([key, item]) => {
    const inside = allowed.flatMap((path) => {
      const [first, ...rest] = path.split(".");
      return first === key || first === "*" ? [rest.join(".")] : [];
    });
    if (inside.includes("")) return [];
    return [...find(key, `a key of ${place}`), ...leaksIn(item, `${place}.${key}`, find, inside)];
  });
}

/** As a run reads it. */
function toPlain(value: object): object {
  const plain: unknown = JSON.parse(textOf(value));
  return typeof plain === "object" && plain !== null ? plain : [plain];
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return jsonText(value, () => "[circular]") ?? String(value);
}

/** Test frameworks put a console of their own in place of that of Node.js, which would print to the standard streams. */
const CONSOLE = { stdout: ["log", "info", "debug", "table", "dir"], stderr: ["warn", "error", "trace"] } as const;

/** Passes on what is printed, and hands it over. Returns a function that undoes it. */
function watchStream(name: "stdout" | "stderr", take: (text: string) => void): () => void {
  const decoder = new TextDecoder();
  const textOfChunk = (chunk: unknown) =>
    chunk instanceof Uint8Array ? decoder.decode(chunk, { stream: true }) : String(chunk);
  const undo = [
    watchMethod(process[name], "write", ([chunk]) => take(textOfChunk(chunk))),
    ...CONSOLE[name].map((method) => watchMethod(console, method, (args) => take(`${format(...args)}\n`))),
  ];
  return () => {
    for (const each of undo) each();
  };
}

/** Calls `see` before each call of a method. Returns a function that undoes it. */
function watchMethod(owner: object, name: string, see: (args: readonly unknown[]) => void): () => void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== "function") return () => undefined;
  Object.assign(owner, {
    [name](...args: readonly unknown[]): unknown {
      see(args);
      return Reflect.apply(original, owner, args);
    },
  });
  return () => Object.assign(owner, { [name]: original });
}
