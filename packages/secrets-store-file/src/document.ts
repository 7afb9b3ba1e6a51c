import { isUtf8 } from "node:buffer";
import type { Anchor, StoreLayout } from "@autokestra/secrets-core";
import { storeCorrupt, storeTooNew, z } from "@autokestra/secrets-core/internal";

/** The newest format. */
const FORMAT = 2;

/** What the file of a store says. */
export interface SecretsDocument {
  /** The format of the file. */
  readonly layout: StoreLayout;
  readonly header: string | null;
  /**
   * One entry per id, as it was read: a damaged one must neither hide the others nor be lost when they are written. One that has
   * lost its id goes by its name.
   */
  readonly entries: ReadonlyMap<string, Entry>;
  /** By name, as they were read. None in format 1. */
  readonly anchors: ReadonlyMap<string, Entry>;
}

/** A document with an index. */
export interface StoredDocument extends SecretsDocument {
  /** From the name to the id of each secret that is not deleted. */
  readonly active: ReadonlyMap<string, string>;
}

/** A JSON object. */
export type Entry = Readonly<Record<string, unknown>>;

type Item = readonly [id: string, entry: Entry];

export const EMPTY_DOCUMENT: SecretsDocument = { layout: 2, header: null, entries: new Map(), anchors: new Map() };

/**
 * The document, with its entries in the order of their names, and of their ids where several have one name.
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

/** Sorted by name, and one field of a secret a line: whatever changes in one secret is one hunk in a diff. */
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
  // A decoder would put U+FFFD in the place of bytes that are no text, and change what is stored.
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

/** True where the whole secret is deleted. */
export function isDeleted(entry: Entry): boolean {
  return typeof entry["deletedAt"] === "string";
}

/** The name of an entry, which is a text in every document that was read. */
export function nameOf(entry: Entry): string {
  return String(entry["name"]);
}

/** By UTF-16 unit. No id stands twice. */
function byNameAndId([idA, a]: Item, [idB, b]: Item): number {
  const [nameA, nameB] = [nameOf(a), nameOf(b)];
  if (nameA !== nameB) return nameA < nameB ? -1 : 1;
  return idA < idB ? -1 : 1;
}

/** The same value if it is a JSON object, else null. */
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
 * The anchor of this name; null where there is none.
 *
 * @throws AutokestraError `STORE_CORRUPT` for one that is damaged in the file at `path`
 */
export function anchorOf({ anchors }: SecretsDocument, name: string, path: string): Anchor | null {
  const entry = anchors.get(name);
  if (entry === undefined) return null;
  const { data } = anchorSchema.safeParse(entry);
  if (data === undefined) throw storeCorrupt(path, "it has a damaged anchor");
  return data;
}

/** The document with this anchor in place of the one of its name. */
export function replaceAnchor(document: SecretsDocument, { name, counter, text, mac }: Anchor): SecretsDocument {
  const entry = { ...document.anchors.get(name), name, counter, text, mac };
  return { ...document, anchors: new Map([...document.anchors, [name, entry]]) };
}
