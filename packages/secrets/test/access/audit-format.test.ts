/** The example of docs/FORMAT.md, by hand: nothing that is compared with here comes from the package. */
import { createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createMemoryStore, type MasterKey, type MasterKeyProvider } from "@autokestra/secrets-core";
import { createKeyManager } from "@autokestra/secrets-crypto";
import { describe, expect, it } from "vitest";
import { type AuditRow, ChainVerifier, chainRow, GENESIS, hashOf } from "../../src/access/audit-chain.ts";
import type { RawHeader } from "../header-by-hand.ts";

const document: string = readFileSync(new URL("../../../../docs/FORMAT.md", import.meta.url), "utf8");
const master: Buffer = Buffer.from(Array.from({ length: 32 }, (_, index) => index));

interface Example {
  readonly records: readonly AuditRow[];
  readonly anchor: { readonly name: string; readonly counter: number; readonly text: string; readonly mac: string };
}

function codeOf(name: string): string {
  return new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``).exec(document)?.[1] ?? "";
}

const header: RawHeader = JSON.parse(codeOf("header-2"));
const { records, anchor }: Example = JSON.parse(codeOf("audit-1"));

type Field = string | number | null;

function list(fields: readonly Field[]): Buffer {
  const parts = fields.map((field) => {
    const text = Buffer.from(String(field ?? ""));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field === null ? 0xffffffff : text.length);
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}

function hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array | string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, info, 32));
}

function serviceKey(): Buffer {
  const wrapping = hkdf(master, Buffer.from(header.kdf.salt, "base64"), "autokestra v1 key encryption");
  const [{ id, wrapped } = { id: "", wrapped: null }] = header.serviceKeys;
  const bytes = Buffer.from(wrapped ?? "", "base64");
  const decipher = createDecipheriv("aes-256-gcm", wrapping, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(list(["autokestra service key", 2, header.storeId, id])).setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
}

function mac(fields: readonly Field[]): string {
  const key = hkdf(serviceKey(), Buffer.alloc(0), list(["autokestra audit mac", 2, header.storeId, null]));
  return `c81f0e37:${createHmac("sha256", key).update(list(fields)).digest("base64")}`;
}

const NAMES =
  "seq time actor_kind actor_id actor_address action secret_name secret_id secret_version secret_fields outcome source request_id execution prev";

function signed(row: AuditRow): Field[] {
  const columns = Object.fromEntries(Object.entries(row)) as Record<string, Field>;
  return ["autokestra audit record", 1, ...NAMES.split(" ").map((name) => columns[name] ?? null)];
}

function sha256(fields: readonly Field[]): string {
  return createHash("sha256").update(list(fields)).digest("hex");
}

const [first, second] = records;
if (first === undefined || second === undefined) throw new Error("the example has two records");

describe("the example of docs/FORMAT.md", () => {
  it("is what the document says, by hand", () => {
    expect(first.prev).toBe("0".repeat(64));
    expect(second.prev).toBe(sha256([...signed(first), first.mac]));
    expect(second.mac).toBe(mac(signed(second)));
    expect(anchor.text).toBe(sha256([...signed(second), second.mac]));
    expect(anchor.mac).toBe(mac(["autokestra audit anchor", 1, anchor.counter, anchor.text]));
  });

  it("is what autokestra writes and verifies", async () => {
    const key: MasterKey = {
      source: "TEST",
      kind: "bytes",
      stretchingForNewStore: async () => null,
      bytes: async () => Buffer.from(master),
    };
    const provider: MasterKeyProvider = {
      search: async () => ({
        first: key,
        isGiven: true,
        places: [],
        async *keys() {
          yield key;
        },
        elsewhere: async () => null,
      }),
      generate: async () => key,
    };
    const store = createMemoryStore({ layout: 2, header: JSON.stringify(header) });
    const keyring = await createKeyManager(store, provider).keyring();
    // Of a whole record, place and HMAC are made anew.
    const changed = { ...second, prev: "", mac: "" };
    expect(chainRow(first, { seq: 1, prev: GENESIS }, null)).toEqual(first);
    expect(chainRow(changed, { seq: 2, prev: hashOf(first) }, keyring)).toEqual(second);
    const verifier = new ChainVerifier(keyring, { seq: anchor.counter, hash: anchor.text });
    for (const row of records) verifier.add(row);
    expect(verifier.report(false)).toMatchObject({ records: 2, authenticated: 1, uncovered: 0, problem: null });
  });
});
