import { createHmac } from "node:crypto";
import { AutokestraError, z } from "@autokestra/secrets-core";
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "./aes-gcm.ts";
import { base64Bytes } from "./base64.ts";
import { encodeFields } from "./encode-fields.ts";
import { equalBytes, headerBroken, type Kdf, kdfSchema } from "./key-derivation.ts";

/** The format of the headers written here. */
export const HEADER_FORMAT = 1;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** A data key as the header keeps it. */
export interface HeaderKey {
  /** 8 lower-case hexadecimal digits, random. */
  readonly id: string;
  /** NIST SP 800-57 part 1, section 7: `active` seals and opens, `decrypt-only` opens, `destroyed` is only remembered. */
  readonly state: "active" | "decrypt-only" | "destroyed";
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  /** At most so many seals were made under it: processes reserve them in steps. */
  readonly seals: number;
  /** base64 of nonce, ciphertext and tag, sealed under the key-encryption key; null once destroyed. */
  readonly wrapped: string | null;
}

/** The header of a store. `docs/FORMAT.md` has the layout. */
export interface StoreHeader {
  readonly format: typeof HEADER_FORMAT;
  /** UUID. */
  readonly storeId: string;
  readonly kdf: Kdf;
  /** Exactly one of them is active. */
  readonly dataKeys: readonly HeaderKey[];
  /** base64 of the value that tells whether a master key is this store's. */
  readonly keyCheck: string;
}

/** A header as it was read: not to be trusted before {@link verifyHeader}. */
export interface ReadHeader {
  readonly header: StoreHeader;
  readonly mac: Uint8Array;
}

/** The one field that a header of any format has. */
const formatSchema = z.object({ format: z.number() });

const headerSchema = z.strictObject({
  format: z.literal(HEADER_FORMAT),
  storeId: z.uuid(),
  kdf: kdfSchema,
  dataKeys: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[0-9a-f]{8}$/),
        state: z.enum(["active", "decrypt-only", "destroyed"]),
        createdAt: z.iso.datetime(),
        seals: z.int().nonnegative(),
        wrapped: base64Bytes(WRAPPED_BYTES).nullable(),
      }),
    )
    .refine((keys) => keys.filter(({ state }) => state === "active").length === 1)
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length)
    .refine((keys) => keys.every(({ state, wrapped }) => (state === "destroyed") === (wrapped === null))),
  keyCheck: base64Bytes(KEY_BYTES),
  mac: base64Bytes(KEY_BYTES),
});

/**
 * Reads the text of a header.
 *
 * @throws AutokestraError `STORE_TOO_NEW`, or `STORE_CORRUPT` where it is not a header or its parameters are too weak
 */
export function parseHeader(text: string): ReadHeader {
  const json = parseJson(text);
  const format = formatSchema.safeParse(json);
  if (format.success && format.data.format > HEADER_FORMAT) throw headerTooNew(format.data.format);
  const result = headerSchema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues.map((issue) => issue.path.join(".") || "it").join(", ");
    throw headerBroken(`is not valid (${where})`);
  }
  const { mac, ...header } = result.data;
  return { header, mac: Buffer.from(mac, "base64") };
}

/** Writes a header as text, authenticated under the header key. */
export function formatHeader(header: StoreHeader, headerKey: Uint8Array): string {
  return JSON.stringify({ ...header, mac: authenticate(header, headerKey).toString("base64") });
}

/** True where the header is as its owner wrote it: nobody has lowered an iteration count or put in a key. */
export function verifyHeader({ header, mac }: ReadHeader, headerKey: Uint8Array): boolean {
  return equalBytes(mac, authenticate(header, headerKey));
}

/** HMAC-SHA256 (RFC 2104) over every field of the header. */
function authenticate(header: StoreHeader, headerKey: Uint8Array): Buffer {
  const { format, storeId, kdf, dataKeys, keyCheck } = header;
  const iterations = kdf.name === "pbkdf2-hmac-sha256" ? kdf.iterations : null;
  const keys = dataKeys.flatMap(({ id, state, createdAt, seals, wrapped }) => [id, state, createdAt, seals, wrapped]);
  const fields = ["autokestra header", format, storeId, kdf.name, kdf.salt, iterations, keyCheck, dataKeys.length];
  return createHmac("sha256", headerKey)
    .update(encodeFields([...fields, ...keys]))
    .digest();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw headerBroken("is not JSON");
  }
}

function headerTooNew(format: number): AutokestraError {
  const message = `The header of the secret store has format ${format}; this version reads ${HEADER_FORMAT}`;
  return new AutokestraError("STORE_TOO_NEW", message, { hint: "Update autokestra. Nothing was changed." });
}
