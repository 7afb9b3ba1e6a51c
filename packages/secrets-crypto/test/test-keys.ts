import type { KeySearch, MasterKey, MasterKeyProvider, Stretching } from "@autokestra/secrets-core";
import { stretch } from "../src/key-derivation.ts";

/** Few enough iterations for tests, as many as a header may have. */
export const TEST_STRETCHING: Stretching = { salt: Buffer.alloc(16, 7).toString("base64"), iterations: 100_000 };

/** A key of 32 equal bytes, or a passphrase. */
export function testKey(content: number | string, source = `KEY ${content}`): MasterKey {
  if (typeof content === "number") {
    return {
      source,
      kind: "bytes",
      bytes: async (stretching) => (stretching === null ? Buffer.alloc(32, content) : null),
      stretchingForNewStore: async () => null,
    };
  }
  return {
    source,
    kind: "passphrase",
    bytes: async (stretching) => (stretching === null ? null : await stretch(Buffer.from(content), stretching)),
    stretchingForNewStore: async () => TEST_STRETCHING,
  };
}

/** A place for keys that a test can change, as a key folder is changed by another process. Its first key is the default one. */
export class KeyPlace implements MasterKeyProvider {
  keys: readonly MasterKey[];
  isGiven = false;
  searches = 0;
  made = 0;
  /** The fingerprints that were looked for. */
  readonly wanted: (string | null)[] = [];

  constructor(...contents: readonly (number | string)[]) {
    this.keys = contents.map((content) => testKey(content));
  }

  async search(): Promise<KeySearch> {
    this.searches += 1;
    const { keys, wanted } = this;
    return {
      isGiven: this.isGiven,
      places: ["VARIABLE (not set)", ...keys.map(({ source }) => source), "/typo (no such file)"],
      first: keys[0] ?? null,
      async *keys(fingerprint) {
        wanted.push(fingerprint);
        yield* keys;
      },
      elsewhere: async () => null,
    };
  }

  async generate(): Promise<MasterKey> {
    this.made += 1;
    this.keys = [testKey(1)];
    return testKey(1);
  }
}
