import { isUtf8 } from "node:buffer";
import type { Anchor, StoreLayout } from "@autokestra/secrets-core";
import { storeCorrupt, storeTooNew, z } from "@autokestra/secrets-core/internal";

/** The newest format. */
const FORMAT = 2;

/** The content of the file of a store. */
export interface SecretsDocument {
  /** The format of the file. */
  readonly layout: StoreLayout;
  readonly header: string | null;
  /**
   * The entries by id, as they were read: a damaged one does not hide the others, and is not lost when they are
   * written. An entry without an id has its name instead.
   */
  readonly entries: ReadonlyMap<string, Entry>;
  /** The anchors by name, as they were read. None in format 1. */
  readonly anchors: ReadonlyMap<string, Entry>;
}

/** A document with an index. */
export interface StoredDocument extends SecretsDocument {
  /** The ids by name of all secrets that are not deleted. */
  readonly active: ReadonlyMap<string, string>;
}

/** A JSON object. */
export type Entry = Readonly<Record<string, unknown>>;

type Item = readonly [id: string, entry: Entry];

export const EMPTY_DOCUMENT: SecretsDocument = { layout: 2, header: null, entries: new Map(), anchors: new Map() };

/**
 * Parses a document, with its entries ordered by name, then by id.
 *
 * @throws AutokestraError `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export function parseDocument(bytes: Uint8Array, path: string): StoredDocument {
  const document = parseObject(bytes);
  if (document === null) throw storeCorrupt(path, "it is not JSON, or not all of it is there");
  const { format, header, secrets, anchors = [], ...unknown } = document;
  if (!Number.isInteger(format)) throw storeCorrupt(path, "it is not a secret store");
  if (Number(format) > FORMAT) throw storeTooNew(path, "format", Number(format), FORMAT);
  const isHeader = header === null || typeof header === "string";
  const hasAnchors = "anchors" in document;
  const isLayout = (format === 1 && !hasAnchors) || (format === 2 && hasAnchors);
  if (!isLayout || !isHeader || !isList(secrets) || !isList(anchors) || Object.keys(unknown).length > 0) {
    throw storeCorrupt(path, "it is not laid out as a secret store");
  }
  const entries = indexEntries(secrets, path);
  return { layout: format, header, entries, anchors: indexAnchors(anchors, path), active: indexActive(entries, path) };
}

/**
 * Formats a document, ordered by name and with one field on each line, so that a changed secret is one hunk in a diff.
 */
export function formatDocument({ layout, header, entries, anchors }: SecretsDocument): string {
  const secrets = [...entries].sort(byNameAndId).map(([, entry]) => formatEntryLines(entry));
  const parts = [`"format": ${layout}`, `"header": ${JSON.stringify(header)}`, `"secrets": ${formatList(secrets)}`];
  if (layout !== 1) {
    const names = [...anchors.keys()].sort();
    parts.push(`"anchors": ${formatList(names.map((name) => JSON.stringify(anchors.get(name))))}`);
  }
  return `{\n${parts.map((part) => `  ${part}`).join(",\n")}\n}\n`;
}

function formatList(items: readonly string[]): string {
  return `[${items.map((item) => `\n    ${item}`).join(",")}\n  ]`;
}

function formatEntryLines(entry: Entry): string {
  const fields = Object.entries(entry).map(([key, value]) => `      ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${fields.join(",\n")}\n    }`;
}

function parseObject(bytes: Uint8Array): Entry | null {
  // A decoder would replace invalid bytes by U+FFFD, and the next write would store that.
  if (!isUtf8(bytes)) return null;
  try {
    return asObject(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return null;
  }
}

function indexEntries(secrets: readonly unknown[], path: string): ReadonlyMap<string, Entry> {
  const items = secrets.map((secret): Item => {
    const entry = asObject(secret);
    if (entry === null || typeof entry["name"] !== "string") throw storeCorrupt(path, "it has a secret without a name");
    return [typeof entry["id"] === "string" ? entry["id"] : entry["name"], entry];
  });
  const entries = new Map(items.sort(byNameAndId));
  if (entries.size < items.length) throw storeCorrupt(path, "it has two secrets of one id");
  return entries;
}

function indexActive(entries: ReadonlyMap<string, Entry>, path: string): ReadonlyMap<string, string> {
  const active = new Map<string, string>();
  for (const [id, entry] of entries) {
    if (isDeleted(entry)) continue;
    if (active.has(nameOf(entry))) throw storeCorrupt(path, "it has two secrets of one name");
    active.set(nameOf(entry), id);
  }
  return active;
}

function indexAnchors(anchors: readonly unknown[], path: string): ReadonlyMap<string, Entry> {
  const index = new Map<string, Entry>();
  for (const anchor of anchors) {
    const entry = asObject(anchor);
    const name = entry?.["name"];
    if (entry === null || typeof name !== "string" || index.has(name)) {
      throw storeCorrupt(path, "it has an anchor without a name of its own");
    }
    index.set(name, entry);
  }
  return index;
}

/** Tells whether a secret is deleted. */
export function isDeleted(entry: Entry): boolean {
  return typeof entry["deletedAt"] === "string";
}

/** Returns the name of an entry. The parser has checked that it is a text. */
export function nameOf(entry: Entry): string {
  return String(entry["name"]);
}

/** Compares by UTF-16 code unit. All ids differ. */
function byNameAndId([idA, a]: Item, [idB, b]: Item): number {
  const [nameA, nameB] = [nameOf(a), nameOf(b)];
  if (nameA !== nameB) return nameA < nameB ? -1 : 1;
  return idA < idB ? -1 : 1;
}

/** Returns the value if it is a JSON object, else null. */
export function asObject(value: unknown): Entry | null {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Entry) : null;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

const anchorSchema: z.ZodType<Anchor> = z.object({
  name: z.string(),
  counter: z.int().nonnegative(),
  text: z.string(),
  mac: z.string(),
});

/**
 * Returns the anchor of this name; null if not found.
 *
 * @param path the path of the file, for messages
 * @throws AutokestraError `STORE_CORRUPT` for a damaged anchor
 */
export function anchorOf({ anchors }: SecretsDocument, name: string, path: string): Anchor | null {
  const entry = anchors.get(name);
  if (entry === undefined) return null;
  const { data } = anchorSchema.safeParse(entry);
  if (data === undefined) throw storeCorrupt(path, "it has a damaged anchor");
  return data;
}

/** Returns the document with this anchor instead of the one of the same name. */
export function replaceAnchor(document: SecretsDocument, { name, counter, text, mac }: Anchor): SecretsDocument {
  const entry = { ...document.anchors.get(name), name, counter, text, mac };
  return { ...document, anchors: new Map([...document.anchors, [name, entry]]) };
}
