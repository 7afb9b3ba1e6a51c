import { createReadStream } from "node:fs";
import { readText } from "@autokestra/secrets/internal";
import { AutokestraError, type SecretName, type SecretType } from "@autokestra/secrets-core";
import { errorCode, fieldsToGive, isIdentifier, quoteText, secrecyOf } from "@autokestra/secrets-core/internal";
import { USE_HINTS } from "../hints.ts";
import type { Question } from "./prompt.ts";

interface FieldSources {
  readonly name: SecretName;
  readonly type: SecretType;
  /** From the command line. */
  readonly value: string | undefined;
  readonly fromFile: string | undefined;
  /** Each one is `k=v`, `k=@FILE`, `k=-` or `k=@@text`. */
  readonly field: readonly string[] | undefined;
  readonly publicFields: readonly string[] | undefined;
  readonly maskFields: readonly string[] | undefined;
  /** Whether standard input is a terminal. */
  readonly canAsk: boolean;
}

interface ReadFields {
  readonly fields: Record<string, string>;
  /** The names of masked fields whose value was on the command line. */
  readonly shown: readonly string[];
}

/** Where a field comes from. `-` is standard input; at a terminal, the person is asked. */
type Source =
  | { readonly from: "text"; readonly text: string }
  | { readonly from: "file"; readonly path: string; readonly what: string }
  | { readonly from: "-" };

/** Reads the fields of a secret from the command line, files, standard input or the keyboard. */
export async function readFields(sources: FieldSources): Promise<ReadFields> {
  const given = withMissing(chooseSources(sources), sources);
  const awaited = [...given.keys()].filter((name) => given.get(name)?.from === "-");
  if (!sources.canAsk && awaited.length > 1) {
    throw usage(`Only one field can be read from standard input, not ${awaited.join(" and ")}`, USE_HINTS.fieldFile);
  }
  const answers = sources.canAsk && awaited.length > 0 ? await askFor(awaited, sources) : {};
  const fields: Record<string, string> = {};
  for (const [name, source] of given) fields[name] = answers[name] ?? (await readSource(source));
  const isMasked = (name: string) => given.get(name)?.from === "text" && secrecyOfField(name, sources).masked;
  return { fields, shown: [...given.keys()].filter(isMasked) };
}

/** Adds missing fields: a person is asked for them; without a terminal, standard input is the only value. */
function withMissing(given: ReadonlyMap<string, Source>, { type, field, canAsk }: FieldSources): Map<string, Source> {
  const isWhole = given.size > 0 && (!canAsk || field === undefined || type === "custom");
  if (isWhole) return new Map(given);
  const names = canAsk ? fieldsToGive(type).filter((name) => !given.has(name)) : [singleField(type)];
  return new Map([...given, ...names.map((name): [string, Source] => [name, { from: "-" }])]);
}

/** Accepts only one of VALUE, --from-file and --field. */
function chooseSources({ type, value, fromFile, field }: FieldSources): Map<string, Source> {
  if ([value, fromFile, field].filter((source) => source !== undefined).length > 1) {
    throw usage("Give the value in one way: VALUE, --from-file or --field");
  }
  if (value === "-" || fromFile === "-") return new Map([[singleField(type), { from: "-" }]]);
  if (value !== undefined) return new Map([[singleField(type), { from: "text", text: value }]]);
  if (fromFile !== undefined)
    return new Map([[singleField(type), { from: "file", path: fromFile, what: `The file ${quoteText(fromFile)}` }]]);
  return parseFieldOptions(field ?? []);
}

function parseFieldOptions(options: readonly string[]): Map<string, Source> {
  const sources = new Map<string, Source>();
  for (const option of options) {
    const at = option.indexOf("=");
    const name = at === -1 ? "" : option.slice(0, at);
    // The text is not repeated: without `k=`, it is the value.
    if (!isIdentifier(name)) throw usage("--field takes NAME=VALUE, NAME=@FILE or NAME=-");
    if (sources.has(name)) throw usage(`--field ${name} is given twice`);
    sources.set(name, parseSource(option.slice(at + 1)));
  }
  return sources;
}

function parseSource(text: string): Source {
  if (text === "-") return { from: "-" };
  if (text.startsWith("@@")) return { from: "text", text: text.slice(1) };
  if (!text.startsWith("@")) return { from: "text", text };
  // The path is not repeated: it may be a value that begins with @.
  return { from: "file", path: text.slice(1), what: "The file that a --field names" };
}

/** The field of a type with a single field. */
function singleField(type: SecretType): string {
  const [only, ...others] = fieldsToGive(type);
  if (only !== undefined && others.length === 0) return only;
  throw usage(`A ${type} secret has several fields`, USE_HINTS.eachField(fieldsToGive(type)));
}

/** The names of fields in prompts. */
const LABELS: Readonly<Record<string, string>> = {
  value: "Value",
  username: "User name",
  password: "Password",
  token: "Token",
  clientId: "Client ID",
  clientSecret: "Client secret",
};

async function askFor(names: readonly string[], sources: FieldSources): Promise<Record<string, string>> {
  const { ask } = await import("./prompt.ts");
  const answers = await ask(names.map((name) => questionFor(name, sources)));
  return Object.fromEntries(names.map((name, index) => [name, answers[index] ?? ""]));
}

function questionFor(field: string, sources: FieldSources): Question {
  const isShown = !secrecyOfField(field, sources).masked;
  const label = (Object.hasOwn(LABELS, field) && LABELS[field]) || `Field '${field}'`;
  return { message: `${label} of '${sources.name}'${isShown ? "" : " (not shown)"}`, isShown };
}

function secrecyOfField(
  field: string,
  { type, publicFields = [], maskFields = [] }: FieldSources,
): { masked: boolean } {
  const [secrecy] = secrecyOf(type, { [field]: "" }, { public: publicFields, masked: maskFields });
  return secrecy ?? { masked: true };
}

async function readSource(source: Source): Promise<string> {
  if (source.from === "-") return await readText(process.stdin, "Standard input");
  return source.from === "file" ? await readFile(source.path, source.what) : source.text;
}

async function readFile(path: string, what: string): Promise<string> {
  try {
    return await readText(createReadStream(path), what);
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    const code = errorCode(error) || "unknown error";
    throw new AutokestraError("USAGE", `${what} cannot be read (${code})`);
  }
}

function usage(message: string, hint?: string): AutokestraError {
  return new AutokestraError("USAGE", message, { hint });
}
