import { createReadStream } from "node:fs";
import { readText } from "@autokestra/engine";
import {
  AutokestraError,
  errorCode,
  isIdentifier,
  quoteText,
  REQUIRED_FIELDS,
  type SecretType,
} from "@autokestra/secrets-core";

export interface FieldSources {
  readonly type: SecretType;
  /** From the command line. */
  readonly value: string | undefined;
  readonly fromFile: string | undefined;
  /** `k=v`, `k=@FILE` or `k=-`, each. */
  readonly field: readonly string[] | undefined;
  /** A person sits at standard input. */
  readonly canAsk: boolean;
}

/** Gathers the fields of a secret from wherever the person gives them. */
export async function readFields(sources: FieldSources): Promise<Record<string, string>> {
  const { type, value, fromFile, field, canAsk } = sources;
  const given = [value, fromFile, field].filter((source) => source !== undefined);
  if (given.length > 1) throw usage("Give the value in one way: VALUE, --from-file or --field");
  if (value !== undefined) return { [singleField(type)]: value };
  if (fromFile !== undefined) return { [singleField(type)]: await readFile(fromFile) };
  const fields = await readFieldOptions(field ?? [], canAsk);
  const missing = fieldsToAsk(type).filter((name) => !Object.hasOwn(fields, name));
  if (field !== undefined && (missing.length === 0 || !canAsk || type === "custom")) return fields;
  if (canAsk) return { ...fields, ...(await askFor(missing)) };
  return { [singleField(type)]: await readInput() };
}

/** The field that takes a single value. */
function singleField(type: SecretType): string {
  const [only, ...others] = fieldsToAsk(type);
  if (only !== undefined && others.length === 0) return only;
  const each = REQUIRED_FIELDS[type].map((name) => `--field ${name}=…`).join(" ");
  throw usage(
    `A ${type} secret has several fields`,
    `Give each one: ${each} (k=@FILE reads a file, k=- standard input).`,
  );
}

function fieldsToAsk(type: SecretType): readonly string[] {
  return type === "custom" ? ["value"] : REQUIRED_FIELDS[type];
}

async function askFor(names: readonly string[]): Promise<Record<string, string>> {
  const { askSecret } = await import("./prompt.ts");
  const answers: Record<string, string> = {};
  for (const name of names) answers[name] = await askSecret(`${name} (not shown)`);
  return answers;
}

async function readFieldOptions(options: readonly string[], canAsk: boolean): Promise<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const option of options) {
    const at = option.indexOf("=");
    const name = at === -1 ? "" : option.slice(0, at);
    // The text is not repeated: whoever forgets `k=` has written only the value.
    if (!isIdentifier(name)) throw usage("--field takes NAME=VALUE, NAME=@FILE or NAME=-");
    if (Object.hasOwn(fields, name)) throw usage(`--field ${name} is given twice`);
    const text = option.slice(at + 1);
    // At a terminal standard input is the keyboard: what is typed must not show.
    Object.assign(fields, text === "-" && canAsk ? await askFor([name]) : { [name]: await readFieldValue(text) });
  }
  return fields;
}

async function readFieldValue(text: string): Promise<string> {
  if (text === "-") return await readInput();
  // Whoever has a value that begins with @ has named no file: it is not repeated.
  return text.startsWith("@") ? await readFile(text.slice(1), "The file that a --field names") : text;
}

async function readInput(): Promise<string> {
  return await readText(process.stdin, "Standard input");
}

async function readFile(path: string, what = `The file ${quoteText(path)}`): Promise<string> {
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
