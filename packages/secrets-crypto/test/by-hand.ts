/** What docs/FORMAT.md says, in node:crypto alone: nothing here comes from the package. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  pbkdf2Sync,
  randomBytes,
  randomUUID,
} from "node:crypto";
import type { EncryptedSecret, Envelope, RecordIdentity } from "@autokestra/secrets-core";

type Field = string | number | null;

/** A list of fields. */
function list(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      const text = Buffer.from(field === null ? "" : String(field));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field === null ? 0xffffffff : text.length);
      return Buffer.concat([length, text]);
    }),
  );
}

interface Parts {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

function encrypt(key: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Parts {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

function decrypt(key: Uint8Array, aad: Uint8Array, { nonce, ciphertext, tag }: Parts): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, "base64");
}

/** A header as JSON has it, of either format. */
export interface RawHeader {
  format: number;
  storeId: string;
  epoch?: number;
  fingerprint?: string;
  kdf: { name: string; salt: string; passphraseSalt?: string; iterations?: number };
  dataKeys: RawKey[];
  serviceKeys?: Pick<RawKey, "id" | "state" | "wrapped">[];
  keyCheck: string;
  extensions?: [string, boolean, string][];
  mac: string;
}

interface RawKey {
  id: string;
  state: string;
  createdAt: string;
  seals: number;
  wrapped: string | null;
  format?: number;
  namespace?: null;
}

/** The 32 bytes, or a passphrase. */
export type RawMaster = Buffer | string;

/** The three keys of a store, and the fingerprint of its master key. */
export function deriveByHand(
  { kdf }: Pick<RawHeader, "kdf">,
  master: RawMaster,
): { wrapping: Buffer; header: Buffer; check: Buffer; fingerprint: string } {
  const { salt, passphraseSalt = salt, iterations = 0 } = kdf;
  const input =
    typeof master === "string" ? pbkdf2Sync(master, fromBase64(passphraseSalt), iterations, 32, "sha256") : master;
  const derive = (info: string) => Buffer.from(hkdfSync("sha256", input, fromBase64(salt), info, 32));
  return {
    wrapping: derive("autokestra v1 key encryption"),
    header: derive("autokestra v1 header"),
    check: derive("autokestra v1 key check"),
    fingerprint: createHash("sha256").update("autokestra key fingerprint\n").update(input).digest("hex").slice(0, 16),
  };
}

/** The MAC of a header. */
export function headerMac(header: RawHeader, headerKey: Uint8Array): string {
  const fields = header.format === 1 ? headerFields1(header) : headerFields2(header);
  return createHmac("sha256", headerKey).update(list(fields)).digest("base64");
}

function headerFields1({ storeId, kdf, dataKeys, keyCheck }: RawHeader): Field[] {
  const fields = ["autokestra header", 1, storeId, kdf.name, kdf.salt, kdf.iterations ?? null, keyCheck];
  const keys = dataKeys.flatMap((key) => [key.id, key.state, key.createdAt, key.seals, key.wrapped]);
  return [...fields, dataKeys.length, ...keys];
}

function headerFields2(header: RawHeader): Field[] {
  const { storeId, epoch = null, fingerprint = null, kdf, dataKeys, keyCheck } = header;
  const { serviceKeys = [], extensions = [] } = header;
  const fields: Field[] = ["autokestra header", 2, storeId, epoch, fingerprint];
  fields.push(kdf.name, kdf.salt, kdf.passphraseSalt ?? null, kdf.iterations ?? null, keyCheck);
  fields.push(dataKeys.length);
  for (const { id, state, createdAt, seals, wrapped, format = null } of dataKeys) {
    fields.push(id, state, createdAt, seals, wrapped, format, null);
  }
  fields.push(serviceKeys.length);
  for (const { id, state, wrapped } of serviceKeys) fields.push(id, state, wrapped);
  fields.push(extensions.length);
  for (const [name, critical, text] of extensions) fields.push(name, critical ? 1 : 0, text);
  return fields;
}

function dataKeyAad(storeId: string, id: string, format: number): Buffer {
  return list(
    format === 1 ? ["autokestra data key", 1, storeId, id] : ["autokestra data key", 2, storeId, null, id, format],
  );
}

/** A data key or a service key, unwrapped. */
function unwrap(wrapping: Uint8Array, aad: Uint8Array, wrapped: string | null): Buffer {
  const bytes = fromBase64(wrapped ?? "");
  const parts = { nonce: bytes.subarray(0, 12), ciphertext: bytes.subarray(12, -16), tag: bytes.subarray(-16) };
  return decrypt(wrapping, aad, parts);
}

function dataKeyByHand(header: RawHeader, master: RawMaster, keyId: string): { bytes: Buffer; format: number } {
  const entry = header.dataKeys.find(({ id }) => id === keyId);
  if (entry === undefined) throw new Error("no such data key");
  const { format = 1, wrapped } = entry;
  return {
    bytes: unwrap(deriveByHand(header, master).wrapping, dataKeyAad(header.storeId, keyId, format), wrapped),
    format,
  };
}

function digestOf(policy: string | null): string | null {
  return policy === null ? null : createHash("sha256").update(policy).digest("hex");
}

function recordAad(format: number, storeId: string, keyId: string, record: RecordIdentity): Buffer {
  const { id, name, type, version, expiresAt, policy } = record;
  return list(
    format === 1
      ? ["autokestra secret", 1, storeId, id, name, type, version, keyId, expiresAt]
      : ["autokestra secret", 2, storeId, null, id, name, type, version, keyId, expiresAt, digestOf(policy)],
  );
}

/** The plaintext of a record. */
export function openByHand(header: RawHeader, master: RawMaster, record: RecordIdentity, envelope: Envelope): string {
  const { keyId } = envelope;
  const key = dataKeyByHand(header, master, keyId);
  if (key.format !== envelope.format) throw new Error("a key of another format");
  return decrypt(key.bytes, recordAad(envelope.format, header.storeId, keyId, record), envelope).toString("utf8");
}

/** Seals a record of any format. */
export function encryptByHand(
  { header, master, format }: { header: RawHeader; master: RawMaster; format: number },
  record: RecordIdentity,
  plaintext: string,
): Envelope {
  const keyId = header.dataKeys.find(({ state }) => state === "active")?.id ?? "";
  const { bytes } = dataKeyByHand(header, master, keyId);
  const aad = recordAad(format, header.storeId, keyId, record);
  return { format, keyId, ...encrypt(bytes, aad, Buffer.from(plaintext)) };
}

function serviceKeyByHand(header: RawHeader, master: RawMaster): { id: string; bytes: Buffer } {
  const { storeId, serviceKeys = [] } = header;
  const entry = serviceKeys.find(({ state }) => state === "active");
  if (entry === undefined) throw new Error("no service key");
  const aad = list(["autokestra service key", 2, storeId, entry.id]);
  return { id: entry.id, bytes: unwrap(deriveByHand(header, master).wrapping, aad, entry.wrapped) };
}

/** @param place the fields of the AAD after the run: task, item, attempt, kind */
export function openKeptByHand(
  header: RawHeader,
  master: RawMaster,
  run: string,
  place: readonly [task: string | null, item: number | null, attempt: number, kind: string],
  value: Uint8Array,
): string {
  const { storeId } = header;
  const info = list(["autokestra kept outputs", 2, storeId, null, run]);
  const key = Buffer.from(hkdfSync("sha256", serviceKeyByHand(header, master).bytes, "", info, 32));
  const aad = list(["autokestra kept value", 2, storeId, run, ...place]);
  const parts = { nonce: value.subarray(0, 12), tag: value.subarray(12, 28), ciphertext: value.subarray(28) };
  return decrypt(key, aad, parts).toString("utf8");
}

/** The MAC of a current version under one of the header's service keys. */
export function recordMacByHand(
  header: RawHeader,
  master: RawMaster,
  { metadata, envelope }: Pick<EncryptedSecret, "metadata" | "envelope">,
): string {
  const serviceKey = serviceKeyByHand(header, master);
  const info = list(["autokestra record mac", 2, header.storeId, null]);
  const key = Buffer.from(hkdfSync("sha256", serviceKey.bytes, "", info, 32));
  const { id, name, type, version, revision, description, tags } = metadata;
  const nonce = Buffer.from(envelope.nonce).toString("base64");
  const fields = ["autokestra record", 2, id, name, null, type, version, nonce, revision, description, tags.length];
  const { createdAt, updatedAt, expiresAt, deletedAt, importedId, policy } = metadata;
  const rest = [createdAt, updatedAt, expiresAt, deletedAt, importedId, digestOf(policy)];
  return `${serviceKey.id}:${createHmac("sha256", key)
    .update(list([...fields, ...tags, ...rest]))
    .digest("base64")}`;
}

/** A header as version 1 of autokestra writes it. */
export function makeHeaderV1(master: RawMaster, iterations = 100_000): RawHeader {
  const salt = randomBytes(16).toString("base64");
  const kdf =
    typeof master === "string" ? { name: "pbkdf2-hmac-sha256", salt, iterations } : { name: "hkdf-sha256", salt };
  const storeId = randomUUID();
  const { wrapping, header: headerKey, check } = deriveByHand({ kdf }, master);
  const id = randomBytes(4).toString("hex");
  const { nonce, ciphertext, tag } = encrypt(wrapping, dataKeyAad(storeId, id, 1), randomBytes(32));
  const wrapped = Buffer.concat([nonce, ciphertext, tag]).toString("base64");
  const createdAt = "2026-01-02T03:04:05.678Z";
  const header = {
    format: 1,
    storeId,
    kdf,
    dataKeys: [{ id, state: "active", createdAt, seals: 4096, wrapped }],
    keyCheck: check.toString("base64"),
    mac: "",
  };
  return { ...header, mac: headerMac(header, headerKey) };
}

/** The header with a MAC that is right for what is in it now, as only someone with the key can make it. */
export function withMac(header: RawHeader, master: RawMaster): RawHeader {
  return { ...header, mac: headerMac(header, deriveByHand(header, master).header) };
}
