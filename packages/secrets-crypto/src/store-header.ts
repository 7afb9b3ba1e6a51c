import { createHmac } from "node:crypto";
import { AutokestraError, z } from "@autokestra/secrets-core";
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "./aes-gcm.ts";
import { base64Bytes } from "./base64.ts";
import { encodeFields } from "./encode-fields.ts";
import { equalBytes, headerBroken, type Kdf, kdfSchema } from "./key-derivation.ts";

const FORMAT = 1;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** A data key as the header keeps it: wrapped under the key-encryption key. */
export interface WrappedKey {
  /** 8 lower-case hexadecimal digits, random. */
  readonly id: string;
  /** NIST SP 800-57 part 1, section 7: `active` seals and opens, `decrypt-only` opens. */
  readonly state: "active" | "decrypt-only";
  readonly createdAt: string;
  /** base64 of nonce, ciphertext and tag. */
  readonly wrapped: string;
}

/** The header of a store, as it is written. `docs/FORMAT.md` has the layout. */
export interface StoreHeader {
  readonly format: typeof FORMAT;
  readonly storeId: string;
  readonly kdf: Kdf;
  readonly dataKeys: readonly WrappedKey[];
  /** base64 of the value that tells whether a master key is this store's. */
  readonly keyCheck: string;
}

const headerSchema = z.strictObject({
  format: z.literal(FORMAT),
  storeId: z.uuid(),
  kdf: kdfSchema,
  dataKeys: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[0-9a-f]{8}$/),
        state: z.enum(["active", "decrypt-only"]),
        createdAt: z.iso.datetime(),
        wrapped: base64Bytes(WRAPPED_BYTES),
      }),
    )
    .min(1),
  keyCheck: base64Bytes(KEY_BYTES),
  mac: base64Bytes(KEY_BYTES),
});

/** A header as it was read: not to be trusted before {@link verifyHeader}. */
export interface ReadHeader {
  readonly header: StoreHeader;
  readonly mac: Uint8Array;
}

/**
 * Reads the text of a header.
 *
 * @throws AutokestraError `STORE_TOO_NEW`, or `STORE_CORRUPT` where it is not a header or its parameters are too weak
 */
export function parseHeader(text: string): ReadHeader {
  const json = parseJson(text);
  const format = z.object({ format: z.number() }).safeParse(json);
  if (format.success && format.data.format > FORMAT) {
    throw new AutokestraError(
      "STORE_TOO_NEW",
      `The secret store has header format ${format.data.format}; this version reads ${FORMAT}`,
      {
        hint: "Update autokestra.",
      },
    );
  }
  const result = headerSchema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues.map((issue) => issue.path.join(".") || "it").join(", ");
    throw headerBroken(`is not valid (${where})`);
  }
  const { mac, ...header } = result.data;
  return { header, mac: Buffer.from(mac, "base64") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw headerBroken("is not JSON");
  }
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
  const keys = dataKeys.flatMap(({ id, state, createdAt, wrapped }) => [id, state, createdAt, wrapped]);
  const fields = [
    "autokestra header",
    format,
    storeId,
    kdf.name,
    kdf.salt,
    iterations,
    keyCheck,
    dataKeys.length,
    ...keys,
  ];
  return createHmac("sha256", headerKey).update(encodeFields(fields)).digest();
}
