import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { MasterKey, Stretching } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { base64Bytes } from "../encode-fields.ts";
import { fingerprintOf, PBKDF2_ITERATIONS, stretch } from "../key-derivation.ts";
import type { KeyContent } from "./key-file.ts";
import { readPrivateJson, updatePrivateJson } from "./private-json.ts";

/** The maximum that is tried, about 1 s: more would only keep the processor busy. */
const MAX_ITERATIONS = 2_000_000;

const MAX_ENTRIES = 5;

/** How this machine stretches one passphrase. Only trying tells which passphrase it belongs to. */
interface PassphraseEntry extends Stretching {
  /** The fingerprint of the stretched key. */
  readonly fingerprint: string;
}

const entriesSchema: z.ZodType<readonly PassphraseEntry[]> = z
  .array(
    z.object({
      salt: base64Bytes(16),
      iterations: z.int().positive(),
      fingerprint: z.string().regex(/^[0-9a-f]{16}$/),
    }),
  )
  .max(MAX_ENTRIES);

/** Hashes passphrases to names in this process, so that the maps below contain no passphrase. Drawn for the first one: that takes 2 ms. */
let namingKey: Buffer | null = null;

const stretched = new Map<string, Promise<Buffer>>();
const drawn = new Map<string, Promise<Stretching>>();
let queue: Promise<unknown> = Promise.resolve();

/**
 * Creates a master key from the content of a file or variable.
 *
 * @param source the name of the variable or the path of the file
 * @param keyFolder the folder of `passphrase.json`; null if there is none
 */
export function createMasterKey({ kind, material }: KeyContent, source: string, keyFolder: string | null): MasterKey {
  if (kind === "bytes") {
    return {
      source,
      kind,
      bytes: async (stretching) => await Promise.resolve(stretching === null ? Uint8Array.from(material) : null),
      stretchingForNewStore: async () => await Promise.resolve(null),
    };
  }
  return {
    source,
    kind,
    bytes: async (stretching) =>
      stretching === null ? null : Uint8Array.from(await stretchOnce(material, stretching)),
    stretchingForNewStore: async () =>
      await once(drawn, nameOf(material, keyFolder), async () => await stretchingOnThisMachine(material, keyFolder)),
  };
}

/**
 * Returns the fingerprint of a key. A passphrase has the fingerprint that it has in the stores created on this machine,
 * and null if there are none.
 *
 * @param keyFolder the folder of `passphrase.json`; null if there is none
 */
export async function fingerprintOfKey(key: MasterKey, keyFolder: string | null): Promise<string | null> {
  const bytes = await key.bytes(null);
  if (bytes === null) return keyFolder === null ? null : await passphraseFingerprint(key, keyFolder);
  const fingerprint = fingerprintOf(bytes);
  bytes.fill(0);
  return fingerprint;
}

async function passphraseFingerprint(key: MasterKey, keyFolder: string): Promise<string | null> {
  for (const { fingerprint, ...stretching } of readEntries(keyFolder)) {
    if (stretching.iterations > MAX_ITERATIONS) continue;
    const bytes = await key.bytes(stretching);
    const isMatch = bytes !== null && fingerprintOf(bytes) === fingerprint;
    bytes?.fill(0);
    if (isMatch) return fingerprint;
  }
  return null;
}

async function stretchingOnThisMachine(material: Uint8Array, keyFolder: string | null): Promise<Stretching> {
  const fresh = { salt: randomBytes(16).toString("base64"), iterations: PBKDF2_ITERATIONS };
  if (keyFolder === null) return fresh;
  for (;;) {
    const entries = readEntries(keyFolder);
    const known = await findEntry(material, entries);
    if (known !== null) return known;
    const fingerprint = fingerprintOf(await stretchOnce(material, fresh));
    let isOvertaken = false;
    await updatePrivateJson(join(keyFolder, "passphrase.json"), entriesSchema, [], (now) => {
      // Another process may have added an entry for the same passphrase.
      isOvertaken = JSON.stringify(now) !== JSON.stringify(entries);
      return isOvertaken ? null : [...entries, { ...fresh, fingerprint }].slice(-MAX_ENTRIES);
    });
    if (!isOvertaken) return fresh;
  }
}

async function findEntry(material: Uint8Array, entries: readonly PassphraseEntry[]): Promise<Stretching | null> {
  for (const { salt, iterations, fingerprint } of entries) {
    if (iterations < PBKDF2_ITERATIONS || iterations > MAX_ITERATIONS) continue;
    const stretching = { salt, iterations };
    if (fingerprintOf(await stretchOnce(material, stretching)) === fingerprint) return stretching;
  }
  return null;
}

function readEntries(keyFolder: string): readonly PassphraseEntry[] {
  return readPrivateJson(join(keyFolder, "passphrase.json"), entriesSchema, []).content;
}

/** Stretches only once in a process for the same parameters, and one at a time, because it keeps a core busy. */
async function stretchOnce(material: Uint8Array, { salt, iterations }: Stretching): Promise<Buffer> {
  return await once(stretched, nameOf(material, `${salt} ${iterations}`), async () => {
    const turn = queue.then(async () => await stretch(material, { salt, iterations }));
    queue = turn.catch(() => undefined);
    return await turn;
  });
}

async function once<T>(known: Map<string, Promise<T>>, name: string, work: () => Promise<T>): Promise<T> {
  const before = known.get(name);
  if (before !== undefined) return await before;
  const result = work();
  known.set(name, result);
  result.catch(() => known.delete(name));
  return await result;
}

function nameOf(material: Uint8Array, purpose: string | null): string {
  namingKey ??= randomBytes(32);
  return `${createHmac("sha256", namingKey).update(material).digest("hex")} ${purpose ?? ""}`;
}
