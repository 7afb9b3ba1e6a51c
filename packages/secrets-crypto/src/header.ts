import { createHmac } from "node:crypto";
import { AutokestraError } from "@autokestra/secrets-core";
import { isTimestamp, isUuid, z } from "@autokestra/secrets-core/internal";
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

/** The format of new headers. */
export const HEADER_FORMAT = 2;

/** NIST SP 800-57, part 1, section 7: `active` encrypts, `decrypt-only` decrypts, `destroyed` leaves only its id. */
type KeyState = "active" | "decrypt-only" | "destroyed";

/** A data key as the header keeps it. */
export interface HeaderKey {
  /** 8 lower-case hexadecimal digits, random. */
  readonly id: string;
  readonly state: KeyState;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  /** An upper bound of the encryptions under this key: processes reserve them in steps. */
  readonly seals: number;
  /** base64 of nonce, ciphertext and tag, encrypted under the key-encryption key; null once destroyed. */
  readonly wrapped: string | null;
  /** The only format of the records under this key. */
  readonly format: RecordFormat;
  /** Always null: there are no namespaces yet. */
  readonly namespace: null;
}

/** A service key as the header keeps it. Keys for metadata are derived from it; `decrypt-only` ones only verify. */
export interface HeaderServiceKey {
  readonly id: string;
  readonly state: KeyState;
  readonly wrapped: string | null;
}

/** An extension: its name, whether a reader must understand it, its text. */
export type HeaderExtension = readonly [name: string, critical: boolean, text: string];

/** The header of a store, the same for all formats. `docs/FORMAT.md` describes the layout. */
export interface StoreHeader {
  /** 1 until this version of autokestra has written to the store. */
  readonly format: 1 | typeof HEADER_FORMAT;
  /** UUID. */
  readonly storeId: string;
  /** Grows with each rotation, so that an older header can be recognised; 0 in format 1. */
  readonly epoch: number;
  /** The name of the master key, 16 hexadecimal digits; null in format 1. */
  readonly fingerprint: string | null;
  readonly kdf: Kdf;
  /** Exactly one of them is active. */
  readonly dataKeys: readonly HeaderKey[];
  /** Exactly one of them is active; none in format 1. */
  readonly serviceKeys: readonly HeaderServiceKey[];
  /** base64 of the value that tells whether a master key belongs to this store. */
  readonly keyCheck: string;
  /** Additions of later versions, kept unchanged; none in format 1. */
  readonly extensions: readonly HeaderExtension[];
}

/** A header as it was read. Do not trust it before {@link verifyHeader}. */
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

/** The only keys of a header of the newest format. */
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

/** UTF-8 replaces half of a surrogate pair, so that two different texts would have the same MAC. */
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

/** What a header of a later version may contain. It is looked for first, whatever else has changed. */
const announcementSchema = z.object({
  format: z.number().optional().catch(undefined),
  kdf: z.object({ name: z.string() }).optional().catch(undefined),
  extensions: z
    .array(z.tuple([z.string(), z.boolean()]).rest(z.unknown()))
    .optional()
    .catch(undefined),
});

/** One active key, no id twice, and a wrapped key for all that are not destroyed. */
function isKeyList(keys: readonly HeaderServiceKey[]): boolean {
  return (
    keys.filter((key) => key.state === "active").length === 1 &&
    new Set(keys.map(({ id }) => id)).size === keys.length &&
    keys.every((key) => (key.state === "destroyed") === (key.wrapped === null))
  );
}

/** A header of the newest format as JSON. */
type HeaderJson = StoreHeader & { readonly format: typeof HEADER_FORMAT; readonly mac: string };

/**
 * Accepts no header that the schema rejects, and nearly every header in practice. The schema decides about the others,
 * because building it takes longer than running a command.
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
 * Reads the text of a header without a key, for example to show its format and its keys. Nothing is verified: somebody
 * may have changed what it says.
 *
 * @throws AutokestraError `STORE_TOO_NEW` if only a later version can read it; `STORE_CORRUPT` if it is not a header or
 * its parameters are too weak
 */
export function parseHeader(text: string): ReadHeader {
  const json = parseJson(text);
  if (isPlainHeader(json)) return toHeader(json);
  const newer = findNewerFeature(json);
  if (newer !== null) throw headerTooNew(newer);
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

/** Describes what only a newer version can read; null if there is nothing. */
function findNewerFeature(json: unknown): string | null {
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

/** Is the header as its owner wrote it? Nobody else can lower its iterations or add a key. */
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
