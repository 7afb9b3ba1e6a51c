/** What an owner of a master key can make of a header, in node:crypto alone: see `docs/FORMAT.md`. */
import { createCipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

export interface RawKey {
  id: string;
  state: string;
  wrapped: string | null;
  createdAt?: string;
  seals?: number;
  format?: number;
  namespace?: null;
}

/** A header of format 2 as JSON has it. */
export interface RawHeader {
  format: number;
  storeId: string;
  epoch: number;
  fingerprint: string;
  kdf: { name: string; salt: string; passphraseSalt?: string; iterations?: number };
  dataKeys: RawKey[];
  serviceKeys: RawKey[];
  keyCheck: string;
  extensions: [string, boolean, string][];
  mac: string;
}

type Field = string | number | null | undefined;

function list(fields: readonly Field[]): Buffer {
  const parts = fields.map((field) => {
    const text = Buffer.from(String(field ?? ""));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field === null || field === undefined ? 0xffffffff : text.length);
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}

function derive({ kdf }: RawHeader, master: Uint8Array, purpose: string): Buffer {
  const info = `autokestra v1 ${purpose}`;
  return Buffer.from(hkdfSync("sha256", master, Buffer.from(kdf.salt, "base64"), info, 32));
}

/** The header with the MAC that its master key gives for what is in it now. */
export function withMac(header: RawHeader, master: Uint8Array): RawHeader {
  const { storeId, epoch, fingerprint, kdf, dataKeys, serviceKeys, keyCheck, extensions } = header;
  const store = [storeId, epoch, fingerprint, kdf.name, kdf.salt, kdf.passphraseSalt, kdf.iterations, keyCheck];
  const keys = dataKeys.flatMap((key) => [key.id, key.state, key.createdAt, key.seals, key.wrapped, key.format, null]);
  const services = serviceKeys.flatMap((key) => [key.id, key.state, key.wrapped]);
  const others = extensions.flatMap(([name, critical, text]) => [name, critical ? 1 : 0, text]);
  const counted = [dataKeys.length, ...keys, serviceKeys.length, ...services, extensions.length, ...others];
  return { ...header, mac: hmac(derive(header, master, "header"), ["autokestra header", 2, ...store, ...counted]) };
}

/** A header of format 1 of the same store, as version 1 may have written it. */
export function asFormat1(header: RawHeader, master: Uint8Array): object {
  const { storeId, kdf, keyCheck } = header;
  const id = "0badcafe";
  const createdAt = "2026-01-02T03:04:05.678Z";
  const aad = list(["autokestra data key", 1, storeId, id]);
  const key = { id, state: "active", createdAt, seals: 4096, wrapped: wrap(header, master, aad) };
  const store = [storeId, kdf.name, kdf.salt, null, keyCheck, 1];
  const fields = ["autokestra header", 1, ...store, id, key.state, createdAt, key.seals, key.wrapped];
  const mac = hmac(derive(header, master, "header"), fields);
  return { format: 1, storeId, kdf, dataKeys: [key], keyCheck, mac };
}

/** A service key that somebody has made, wrapped under a master key. */
export function forgeServiceKey(header: RawHeader, id: string, master: Uint8Array): RawKey {
  const aad = list(["autokestra service key", 2, header.storeId, id]);
  return { id, state: "active", wrapped: wrap(header, master, aad) };
}

/** The value that tells whether this master key is the header's. */
export function keyCheckOf(header: RawHeader, master: Uint8Array): string {
  return derive(header, master, "key check").toString("base64");
}

function wrap(header: RawHeader, master: Uint8Array, aad: Uint8Array): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", derive(header, master, "key encryption"), nonce).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(randomBytes(32)), cipher.final()]);
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString("base64");
}

function hmac(key: Uint8Array, fields: readonly Field[]): string {
  return createHmac("sha256", key).update(list(fields)).digest("base64");
}
