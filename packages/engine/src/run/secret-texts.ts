/**
 * The texts in a value that is secret as a whole: of an object, a list or a map its leaves, of bytes their text, base64 and hex.
 * True, false, null and what has no text give none.
 */
export function secretTexts(value: unknown): string[] {
  const texts: string[] = [];
  const seen = new Set<object>();
  const open: unknown[] = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item === "string" || typeof item === "number" || typeof item === "bigint") texts.push(String(item));
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    const bytes = toBytes(item);
    if (bytes !== null) texts.push(...textsOfBytes(bytes));
    else open.push(...Object.values(openObject(item)));
  }
  return texts.filter((text) => text !== "");
}

/** What is in an object, by key: as JSON would show it, and of a map and a set what they hold. */
export function openObject(item: object): object {
  if (item instanceof Map) return Object.fromEntries(item);
  if (item instanceof Set) return [...item];
  if (item instanceof Error) return Object.assign({}, item, { message: item.message, cause: item.cause });
  if (!("toJSON" in item) || typeof item.toJSON !== "function") return item;
  const json: unknown = item.toJSON();
  return typeof json === "object" && json !== null ? json : [json];
}

function toBytes(item: object): Buffer | null {
  return ArrayBuffer.isView(item) ? Buffer.from(item.buffer, item.byteOffset, item.byteLength) : bufferFromJson(item);
}

/** The bytes of a Buffer as JSON has it, `{ type: "Buffer", data: [1, 2] }`; null for anything else. */
export function bufferFromJson(item: unknown): Buffer | null {
  if (typeof item !== "object" || item === null) return null;
  const { type, data }: { type?: unknown; data?: unknown } = item;
  return type === "Buffer" && Array.isArray(data) ? Buffer.from(data.map(Number)) : null;
}

function textsOfBytes(bytes: Buffer): string[] {
  return [bytes.toString(), bytes.toString("base64"), bytes.toString("hex")];
}
