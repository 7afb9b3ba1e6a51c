import { type Anchor, storeCorrupt, z } from "@autokestra/secrets-core";
import type { SecretsDocument } from "./secrets-document.ts";

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
