const VALUE_NAME = /^[A-Za-z0-9_.[\]/-]{1,3000}$/;

/**
 * Returns the texts to mask in a value that an action has called secret.
 *
 * @param name what the action calls it; undefined for the default
 * @throws TypeError if the value has no text, or if the name has other characters than those of names of secrets and tasks
 */
export function textsToMask(value: unknown, name: string | undefined): string[] {
  const texts = secretTexts(value);
  if (texts.length === 0) {
    throw new TypeError("A value to mask must be a text, a number, or an object or list of these");
  }
  // Brackets and slashes are in the names of items and of tasks in called workflows.
  if (name !== undefined && !VALUE_NAME.test(name)) {
    throw new TypeError("The name of a value to mask must be of letters, digits, underscores, hyphens and dots");
  }
  return texts;
}

/**
 * Returns the texts to mask in a value that is secret as a whole: the leaves of objects, lists and maps, and bytes as
 * text, base64 and hex. Booleans, null and values without text have none.
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
    else open.push(...Object.values(objectContent(item)));
  }
  return texts.filter((text) => text !== "");
}

/** Returns the content of an object as JSON shows it, and that of maps, sets and errors. */
export function objectContent(item: object): object {
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

/** The bytes of a Buffer in JSON, `{ type: "Buffer", data: [1, 2] }`; null for anything else. */
export function bufferFromJson(item: unknown): Buffer | null {
  if (typeof item !== "object" || item === null) return null;
  const { type, data }: { type?: unknown; data?: unknown } = item;
  return type === "Buffer" && Array.isArray(data) ? Buffer.from(data.map(Number)) : null;
}

function textsOfBytes(bytes: Buffer): string[] {
  return [bytes.toString(), bytes.toString("base64"), bytes.toString("hex")];
}
