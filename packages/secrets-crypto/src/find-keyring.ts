import { AutokestraError, type KeySearch, type MasterKey, type MasterKeyProvider } from "@autokestra/secrets-core";
import { deriveKeys, stretchingOf } from "./key-derivation.ts";
import { type Keyring, openKeyring, wipeDerived } from "./keyring.ts";
import { parseHeader, type ReadHeader } from "./store-header.ts";
import type { RememberedStore } from "./store-memory.ts";

/** The opened keys of a header, and how their master key was come by. */
export interface FoundKeyring {
  readonly keyring: Keyring;
  /** The person has named the key, or the file that it lies beside. */
  readonly isGiven: boolean;
  /** It is another one than the key that new stores get. */
  readonly isBeside: boolean;
}

/** A key that was tried, in words: its source, and its fingerprint or its kind. */
type TriedKey = string;

/**
 * Looks for the master key of a header and opens it. Writes nothing, and tries no key that the provider does not name.
 *
 * @returns the error `KEY_WRONG` or `KEY_MISSING` where no key opens it, for the caller to throw once it has looked again
 * @throws AutokestraError `INTEGRITY_FAILED` (header), and as the provider and `parseHeader`
 */
export async function findKeyring(text: string, provider: MasterKeyProvider): Promise<FoundKeyring | AutokestraError> {
  const read = parseHeader(text);
  const search = await provider.search();
  const tried: TriedKey[] = [];
  for await (const master of search.keys(read.header.fingerprint)) {
    const result = await tryKey(text, read, master);
    if (typeof result !== "string") {
      return { keyring: result, isGiven: search.isGiven, isBeside: master.source !== search.first?.source };
    }
    tried.push(`${master.source} (${result})`);
  }
  const { fingerprint } = read.header;
  const elsewhere = fingerprint === null ? null : await search.elsewhere(fingerprint);
  return tried.length === 0 ? keyMissing(read, search, elsewhere) : keyWrong(read, search, tried, elsewhere);
}

/** @returns the opened keys, or what to call a key that is another one */
async function tryKey(text: string, read: ReadHeader, master: MasterKey): Promise<Keyring | string> {
  const { kdf } = read.header;
  const bytes = await master.bytes(stretchingOf(kdf));
  if (bytes === null) return master.kind === "passphrase" ? "a passphrase" : "a key of 32 bytes";
  const keys = deriveKeys(kdf, bytes);
  bytes.fill(0);
  try {
    return openKeyring(text, read, keys, master.source) ?? keys.fingerprint;
  } finally {
    wipeDerived(keys);
  }
}

function keyWrong(
  read: ReadHeader,
  { places }: KeySearch,
  tried: readonly TriedKey[],
  elsewhere: string | null,
): AutokestraError {
  const [only] = tried;
  const what =
    tried.length === 1 ? `The master key from ${only} is not` : `None of the master keys ${tried.join(", ")} is`;
  return new AutokestraError("KEY_WRONG", `${what} the key of these secrets, which is ${nameOf(read)}`, {
    hint: `${whereItIs(elsewhere)} Looked at: ${places.join("; ")}.`,
  });
}

function keyMissing(read: ReadHeader, { places }: KeySearch, elsewhere: string | null): AutokestraError {
  const message = `There are secrets here, but no master key to open them: it is ${nameOf(read)}`;
  return new AutokestraError("KEY_MISSING", message, {
    hint: `${whereItIs(elsewhere)} No new key is made for a store that has secrets. Looked at: ${places.join("; ")}.`,
  });
}

/** A key that is given is tried alone: where the right one lies is only told. */
function whereItIs(elsewhere: string | null): string {
  return elsewhere === null
    ? "Name the key that they were made with."
    : `That key is in ${elsewhere}, which is used where no other key is named.`;
}

function nameOf({ header }: ReadHeader): string {
  return header.fingerprint ?? "unknown (older format)";
}

/**
 * What is wrong with a store that only a found key opens: it is not the one that was last opened here, or an older state of it.
 * Kept keys would undo a rotation otherwise: whoever has an old key could put back the header that it opens.
 */
export function findRollback({ header, fingerprint, epoch }: Keyring, known: RememberedStore): AutokestraError | null {
  const isLeft = fingerprint !== known.fingerprint && known.left.includes(fingerprint);
  const isOlder = epoch < known.epoch || isLeft;
  if (header.storeId === known.storeId && !isOlder) return null;
  const newest =
    header.dataKeys
      .map(({ createdAt }) => createdAt)
      .toSorted()
      .at(-1) ?? "";
  const what = header.storeId === known.storeId ? "an older state of the store" : "another store than the one";
  return new AutokestraError(
    "STORE_ROLLED_BACK",
    `This is ${what} that was opened here on ${known.openedAt} with the key ${known.fingerprint}: its key is ${fingerprint}, its newest data key was made on ${newest}`,
    { hint: "To open it all the same, name its key on purpose." },
  );
}
