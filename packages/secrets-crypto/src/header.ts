import { createHmac } from "node:crypto";
import { AutokestraError, isTimestamp, isUuid, z } from "@autokestra/secrets-core";
import { KEY_BYTES } from "./aes-gcm.ts";
import { type RecordFormat, WRAPPED_BYTES } from "./data-key.ts";
import { base64Bytes, encodeFields, isBase64 } from "./encode-fields.ts";
import {
  equalBytes,
  headerBroken,
  isKnownKdf,
  isPlainKdf,
  type Kdf,
  kdfSchema,
  kdfSchemaV1,
} from "./key-derivation.ts";
import { FINGERPRINT, hasKeys, isFingerprint, isListOf, isText, isWholeNumber } from "./plain-json.ts";

/** The format of the headers written here. */
export const HEADER_FORMAT = 2;

/** NIST SP 800-57 part 1, section 7: `active` is used, `decrypt-only` opens what is there, `destroyed` is only remembered. */
type KeyState = "active" | "decrypt-only" | "destroyed";

/** A data key as the header keeps it. */
export interface HeaderKey {
  /** 8 lower-case hexadecimal digits, random. */
  readonly id: string;
  readonly state: KeyState;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  /** At most so many seals were made under it: processes reserve them in steps. */
  readonly seals: number;
  /** base64 of nonce, ciphertext and tag, sealed under the key-encryption key; null once destroyed. */
  readonly wrapped: string | null;
  /** The one format of the records that it opens. */
  readonly format: RecordFormat;
  /** Null: there are no others yet. */
  readonly namespace: null;
}

/** A service key as the header keeps it: what authenticates metadata follows from it. `decrypt-only` verifies only. */
export interface HeaderServiceKey {
  readonly id: string;
  readonly state: KeyState;
  readonly wrapped: string | null;
}

/** Name, whether it must be understood, text. */
export type HeaderExtension = readonly [name: string, critical: boolean, text: string];

/** The header of a store, of any format in this one shape. `docs/FORMAT.md` has the layout. */
export interface StoreHeader {
  /** 1 until this version of autokestra has written to the store. */
  readonly format: 1 | typeof HEADER_FORMAT;
  /** UUID. */
  readonly storeId: string;
  /** Grows with each rotation, so that an older header can be told; 0 in format 1. */
  readonly epoch: number;
  /** Names the master key, 16 hexadecimal digits; null in format 1. */
  readonly fingerprint: string | null;
  readonly kdf: Kdf;
  /** Exactly one of them is active. */
  readonly dataKeys: readonly HeaderKey[];
  /** Exactly one of them is active; none in format 1. */
  readonly serviceKeys: readonly HeaderServiceKey[];
  /** base64 of the value that tells whether a master key is this store's. */
  readonly keyCheck: string;
  /** What later versions have added, kept as it is; none in format 1. */
  readonly extensions: readonly HeaderExtension[];
}

/** A header as it was read: not to be trusted before {@link verifyHeader}. */
export interface ReadHeader {
  readonly header: StoreHeader;
  readonly mac: Uint8Array;
}

const KEY_ID = /^[0-9a-f]{8}$/;
const KEY_STATE = /^(?:active|decrypt-only|destroyed)$/;

const keyId = z.string().regex(KEY_ID);
const keyState = z.enum(["active", "decrypt-only", "destroyed"]);
const wrappedKey = base64Bytes(WRAPPED_BYTES).nullable();
const dataKeyV1 = z.strictObject({
  id: keyId,
  state: keyState,
  createdAt: z.iso.datetime(),
  seals: z.int().nonnegative(),
  wrapped: wrappedKey,
});
const dataKey = dataKeyV1.extend({ format: z.literal([1, 2]), namespace: z.null() });

/** What a header of the newest format has, and nothing else. */
const HEADER_KEYS = [
  "format",
  "storeId",
  "epoch",
  "fingerprint",
  "kdf",
  "dataKeys",
  "serviceKeys",
  "keyCheck",
  "extensions",
  "mac",
] as const;

/** Half a surrogate pair is written as another character: two texts would have one MAC. */
const wellFormed = z.string().refine((text) => text.isWellFormed());

const sharedFields = {
  storeId: z.uuid(),
  keyCheck: base64Bytes(KEY_BYTES),
  mac: base64Bytes(KEY_BYTES),
};

const headerSchemaV1 = z.strictObject({
  format: z.literal(1),
  ...sharedFields,
  kdf: kdfSchemaV1,
  dataKeys: z.array(dataKeyV1).refine(isKeyList),
});

export const headerSchema: z.ZodType<HeaderJson> = z.strictObject({
  format: z.literal(HEADER_FORMAT),
  ...sharedFields,
  epoch: z.int().positive(),
  fingerprint: z.string().regex(FINGERPRINT),
  kdf: kdfSchema,
  dataKeys: z
    .array(dataKey)
    .refine(isKeyList)
    .refine((keys) => keys.every((key) => key.state !== "active" || key.format === 2)),
  serviceKeys: z.array(z.strictObject({ id: keyId, state: keyState, wrapped: wrappedKey })).refine(isKeyList),
  extensions: z
    .array(z.tuple([wellFormed, z.boolean(), wellFormed]))
    .refine((all) => new Set(all.map(([name]) => name)).size === all.length),
});

/** What a header of a later version may have that this one does not know: looked for first, whatever else has changed. */
const announcementSchema = z.object({
  format: z.number().optional().catch(undefined),
  kdf: z.object({ name: z.string() }).optional().catch(undefined),
  extensions: z
    .array(z.tuple([z.string(), z.boolean()]).rest(z.unknown()))
    .optional()
    .catch(undefined),
});

/** One active key, no id twice, and only destroyed ones are gone. */
function isKeyList(keys: readonly HeaderServiceKey[]): boolean {
  return (
    keys.filter((key) => key.state === "active").length === 1 &&
    new Set(keys.map(({ id }) => id)).size === keys.length &&
    keys.every((key) => (key.state === "destroyed") === (key.wrapped === null))
  );
}

/** A header of the newest format as its text has it. */
type HeaderJson = StoreHeader & { readonly format: typeof HEADER_FORMAT; readonly mac: string };

/**
 * True for nothing that the schema refuses. Nearly every header that is read passes; the schema, which takes longer to build than a
 * command to run, has the last word on the others.
 */
export function isPlainHeader(json: unknown): json is HeaderJson {
  return (
    hasKeys(json, HEADER_KEYS) &&
    json.format === HEADER_FORMAT &&
    isUuid(json.storeId) &&
    isWholeNumber(json.epoch, 1) &&
    isFingerprint(json.fingerprint) &&
    isPlainKdf(json.kdf) &&
    isListOf(json.dataKeys, isPlainDataKey) &&
    isKeyList(json.dataKeys) &&
    json.dataKeys.every((key) => key.state !== "active" || key.format === 2) &&
    isListOf(json.serviceKeys, isPlainServiceKey) &&
    isKeyList(json.serviceKeys) &&
    isBase64(json.keyCheck, KEY_BYTES) &&
    Array.isArray(json.extensions) &&
    json.extensions.length === 0 &&
    isBase64(json.mac, KEY_BYTES)
  );
}

function isPlainDataKey(json: unknown): json is HeaderKey {
  return (
    hasKeys(json, ["id", "state", "createdAt", "seals", "wrapped", "format", "namespace"]) &&
    isPlainKey(json) &&
    isTimestamp(json.createdAt) &&
    isWholeNumber(json.seals, 0) &&
    (json.format === 1 || json.format === 2) &&
    json.namespace === null
  );
}

function isPlainServiceKey(json: unknown): json is HeaderServiceKey {
  return hasKeys(json, ["id", "state", "wrapped"]) && isPlainKey(json);
}

function isPlainKey({ id, state, wrapped }: Readonly<Record<"id" | "state" | "wrapped", unknown>>): boolean {
  return isText(id, KEY_ID) && isText(state, KEY_STATE) && (wrapped === null || isBase64(wrapped, WRAPPED_BYTES));
}

/**
 * Reads the text of a header.
 *
 * @throws AutokestraError `STORE_TOO_NEW`, or `STORE_CORRUPT` where it is not a header or its parameters are too weak
 */
export function parseHeader(text: string): ReadHeader {
  const json = parseJson(text);
  if (isPlainHeader(json)) return toHeader(json);
  const news = findNews(json);
  if (news !== null) throw headerTooNew(news);
  const isFirst = z.object({ format: z.literal(1) }).safeParse(json).success;
  const result = isFirst ? headerSchemaV1.safeParse(json) : headerSchema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues.map((issue) => issue.path.join(".") || "it").join(", ");
    throw headerBroken(`is not valid (${where})`);
  }
  return toHeader(result.data);
}

function toHeader({ mac, ...header }: HeaderJson | z.infer<typeof headerSchemaV1>): ReadHeader {
  return { header: header.format === 1 ? fromV1(header) : header, mac: Buffer.from(mac, "base64") };
}

function fromV1(header: Omit<z.infer<typeof headerSchemaV1>, "mac">): StoreHeader {
  const dataKeys = header.dataKeys.map((key) => ({ ...key, format: 1 as const, namespace: null }));
  return { ...header, epoch: 0, fingerprint: null, dataKeys, serviceKeys: [], extensions: [] };
}

/** What only a newer version can read, in words; null where there is nothing. */
function findNews(json: unknown): string | null {
  const { format, kdf, extensions } = announcementSchema.safeParse(json).data ?? {};
  if (format !== undefined && format > HEADER_FORMAT) return `format ${format}; this version reads ${HEADER_FORMAT}`;
  if (kdf !== undefined && !isKnownKdf(kdf.name)) return "a key derivation that this version does not know";
  if (extensions?.some(([, critical]) => critical)) return "an extension that this version would have to know";
  return null;
}

/** Writes a header as text, authenticated under the header key. Only the newest format is written. */
export function formatHeader(header: StoreHeader, headerKey: Uint8Array): string {
  if (header.format !== HEADER_FORMAT) throw new Error("a header of an older format is not written");
  const { format, storeId, epoch, fingerprint, kdf, dataKeys, serviceKeys, keyCheck, extensions } = header;
  const mac = authenticate(header, headerKey).toString("base64");
  return JSON.stringify({
    format,
    storeId,
    epoch,
    fingerprint,
    kdf,
    dataKeys,
    serviceKeys,
    keyCheck,
    extensions,
    mac,
  });
}

/** True where the header is as its owner wrote it: nobody has lowered an iteration count or put in a key. */
export function verifyHeader({ header, mac }: ReadHeader, headerKey: Uint8Array): boolean {
  return equalBytes(mac, authenticate(header, headerKey));
}

/** HMAC-SHA256 (RFC 2104) over every field of the header. */
function authenticate(header: StoreHeader, headerKey: Uint8Array): Buffer {
  const fields = header.format === 1 ? fieldsV1(header) : fieldsV2(header);
  return createHmac("sha256", headerKey).update(encodeFields(fields)).digest();
}

type Fields = readonly (string | number | null)[];

function fieldsV1({ storeId, kdf, dataKeys, keyCheck }: StoreHeader): Fields {
  const iterations = kdf.name === "pbkdf2-hmac-sha256" ? kdf.iterations : null;
  const store = [storeId, kdf.name, kdf.salt, iterations, keyCheck];
  return ["autokestra header", 1, ...store, dataKeys.length, ...dataKeys.flatMap(dataKeyFields)];
}

function fieldsV2(header: StoreHeader): Fields {
  const { storeId, epoch, fingerprint, kdf, dataKeys, serviceKeys, keyCheck, extensions } = header;
  const stretching = kdf.name === "pbkdf2-hmac-sha256" ? [kdf.passphraseSalt, kdf.iterations] : [null, null];
  const store = [storeId, epoch, fingerprint, kdf.name, kdf.salt, ...stretching, keyCheck];
  const keys = dataKeys.flatMap((key) => [...dataKeyFields(key), key.format, key.namespace]);
  const services = serviceKeys.flatMap(({ id, state, wrapped }) => [id, state, wrapped]);
  const others = extensions.flatMap(([name, critical, text]) => [name, critical ? 1 : 0, text]);
  const counted = [dataKeys.length, ...keys, serviceKeys.length, ...services, extensions.length, ...others];
  return ["autokestra header", 2, ...store, ...counted];
}

function dataKeyFields({ id, state, createdAt, seals, wrapped }: HeaderKey): Fields {
  return [id, state, createdAt, seals, wrapped];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw headerBroken("is not JSON");
  }
}

function headerTooNew(what: string): AutokestraError {
  return new AutokestraError("STORE_TOO_NEW", `The header of the secret store has ${what}`, {
    hint: "Update autokestra. Nothing was changed.",
  });
}
