import { isUtf8 } from "node:buffer";
import { storeCorrupt, storeTooNew } from "@autokestra/secrets-core";

/** The format that this version writes. */
const FORMAT = 1;

/** What the file of a store says. */
export interface SecretsDocument {
  readonly header: string | null;
  /** One entry per name, as it was read: a damaged one must neither hide the others nor be lost when they are written. */
  readonly entries: ReadonlyMap<string, Entry>;
}

/** A JSON object. */
export type Entry = Readonly<Record<string, unknown>>;

export const EMPTY_DOCUMENT: SecretsDocument = { header: null, entries: new Map() };

/**
 * The document, with its entries in the order of their names.
 *
 * @throws AutokestraError `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export function parseDocument(bytes: Uint8Array, path: string): SecretsDocument {
  const document = parseObject(bytes);
  if (document === null) throw storeCorrupt(path, "it is not JSON, or not all of it is there");
  const { format, header, secrets, ...unknown } = document;
  if (!Number.isInteger(format)) throw storeCorrupt(path, "it is not a secret store");
  if (Number(format) > FORMAT) throw storeTooNew(path, "format", Number(format), FORMAT);
  const isHeader = header === null || typeof header === "string";
  if (format !== FORMAT || !isHeader || !Array.isArray(secrets) || Object.keys(unknown).length > 0) {
    throw storeCorrupt(path, "it is not laid out as a secret store");
  }
  return { header, entries: new Map([...indexByName(secrets, path)].sort(byName)) };
}

/** Sorted by name, and one field of a secret a line: whatever changes in one secret is one hunk in a diff. */
export function formatDocument({ header, entries }: SecretsDocument): string {
  const secrets = [...entries].sort(byName).map(([, entry]) => `\n    ${formatEntryLines(entry)}`);
  return `{\n  "format": ${FORMAT},\n  "header": ${JSON.stringify(header)},\n  "secrets": [${secrets.join(",")}\n  ]\n}\n`;
}

function formatEntryLines(entry: Entry): string {
  const fields = Object.entries(entry).map(([key, value]) => `      ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${fields.join(",\n")}\n    }`;
}

function parseObject(bytes: Uint8Array): Entry | null {
  // A decoder would put U+FFFD in the place of bytes that are no text, and change what is stored.
  if (!isUtf8(bytes)) return null;
  try {
    return asObject(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return null;
  }
}

function indexByName(secrets: readonly unknown[], path: string): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const secret of secrets) {
    const entry = asObject(secret);
    const name = entry?.["name"];
    if (entry === null || typeof name !== "string") throw storeCorrupt(path, "it has a secret without a name");
    if (entries.has(name)) throw storeCorrupt(path, "it has two secrets of one name");
    entries.set(name, entry);
  }
  return entries;
}

/** By UTF-16 unit. No name stands twice. */
function byName([a]: readonly [string, Entry], [b]: readonly [string, Entry]): number {
  return a < b ? -1 : 1;
}

/** The same value if it is a JSON object, else null. */
export function asObject(value: unknown): Entry | null {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Entry) : null;
}
