import type { SecretStore } from "@autokestra/secrets-core";
import { createSecretService } from "@autokestra/secrets-core";
import {
  createKeptValueKeys,
  createKeyManager,
  createMasterKeyProvider,
  createSecretEncryption,
} from "@autokestra/secrets-crypto";
import type { SecretsManager, SecretsOptions } from "../src/index.ts";
import { openStore } from "../src/internal.ts";
import { keyOptions } from "../src/manager.ts";

/** What is called before each call of a store, with the name of the method. */
type BeforeCall = (method: string) => Promise<void>;

/** The same store, with something else done before each of its calls. */
function intercept(store: SecretStore, before: BeforeCall): SecretStore {
  return new Proxy(store, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function" || key === "close") return member;
      return async (...args: unknown[]) => {
        await before(String(key));
        return await member.apply(target, args);
      };
    },
  });
}

/** Opens what `openSecretsManager` opens, over a store whose calls can be held. */
export async function openHeld(options: SecretsOptions, before: BeforeCall): Promise<SecretsManager> {
  const { store: opened, location, driver } = await openStore({ ...options, create: false });
  const store = intercept(opened, before);
  const provider = createMasterKeyProvider(keyOptions(options));
  const keys = createKeyManager(store, provider);
  const encryption = createSecretEncryption(keys);
  const secrets = createSecretService({
    store,
    encryption,
    now: () => new Date().toISOString(),
    newId: () => crypto.randomUUID(),
  });
  const unaudited = {
    audit: null,
    actor: null,
    as: () => secrets,
    recordSource: <Source>(source: Source) => source,
    unrecorded: secrets,
  };
  const keyFolder = options.keyFolder ?? null;
  return {
    store,
    location,
    driver,
    keyFolder,
    provider,
    keys,
    encryption,
    keptValues: createKeptValueKeys(keys),
    secrets,
    ...unaudited,
  };
}

/**
 * Runs `work` once for each of its calls of the store, held before that call until `other` has come to its end.
 *
 * @param reset puts everything back before each run
 * @param check looks at what came of it
 * @returns how many calls `work` makes at least
 */
export async function inEveryOrder(
  options: SecretsOptions,
  {
    reset,
    work,
    other,
    check,
    isHeld = () => true,
    step = 1,
  }: {
    readonly reset: () => void;
    readonly work: (manager: SecretsManager) => Promise<unknown>;
    readonly other: () => Promise<unknown>;
    readonly check: (order: number) => Promise<void>;
    /** Before which methods it may be held. Default: all. */
    readonly isHeld?: (method: string) => boolean;
    /** Only every so many-th call. Default: each. */
    readonly step?: number;
  },
): Promise<number> {
  for (let order = 1; ; order += step) {
    reset();
    let calls = 0;
    let isDone = false;
    const manager = await openHeld(options, async (method) => {
      if (!isHeld(method)) return;
      calls += 1;
      if (calls !== order) return;
      await other();
      isDone = true;
    });
    try {
      await work(manager);
    } finally {
      await manager.secrets.close();
    }
    if (!isDone) return order - step;
    await check(order);
  }
}
