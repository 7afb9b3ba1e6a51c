import type { ExclusiveLock, SecretStore } from "../secret-store.ts";
import {
  type AbilityContractOptions,
  abilityTest,
  contentOf,
  fill,
  putSecret,
  short,
  UNAVAILABLE,
} from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";

type Store = SecretStore & ExclusiveLock;

/** Registers one test for each promise of {@link ExclusiveLock}, in addition to those of `secretStoreContract`. */
export function exclusiveLockContract(options: AbilityContractOptions<Store>): void {
  const { expect } = options;
  const test = abilityTest(options);

  async function opened<T>(reopen: (() => Promise<Store>) | null, work: (store: Store) => Promise<T>): Promise<T> {
    if (reopen === null) throw new TypeError("a lock is between openings of one store");
    const store = await reopen();
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  test("exclusively gives what work gives, and lets this opening read", async (store) => {
    await fill(store);
    const content = await contentOf(store);
    expect(await store.exclusively(async () => await contentOf(store))).toEqual(content);
  });

  test("exclusively lets no other opening write or be exclusive", async (store, reopen) => {
    await putSecret(store, sampleSecret("A"));
    await store.exclusively(async () => {
      const write = async (other: SecretStore) => await putSecret(other, sampleSecret("B"));
      await expect(opened(reopen, write)).rejects.toMatchObject(UNAVAILABLE);
      const enter = async (other: Store) => await other.exclusively(async () => undefined);
      await expect(opened(reopen, enter)).rejects.toMatchObject(UNAVAILABLE);
    });
    await store.close();
    await opened(reopen, async (other) => {
      expect(short(await other.list())).toBe("A1");
      await putSecret(other, sampleSecret("B"));
    });
  });

  test("exclusively passes an error of work on, and others can write again", async (store, reopen) => {
    const failure = new RangeError("work has failed");
    const fail = async () => await Promise.reject(failure);
    await expect(store.exclusively(fail)).rejects.toMatchObject({ name: "RangeError", message: "work has failed" });
    await store.close();
    await opened(reopen, async (other) => await putSecret(other, sampleSecret("A")));
  });

  test("while another opening exists, exclusively is refused or no other opening can write", async (store, reopen) => {
    await opened(reopen, async (other) => {
      const write = async () => await putSecret(other, sampleSecret("A"));
      const enter = store.exclusively(async () => await expect(write()).rejects.toMatchObject(UNAVAILABLE));
      await enter.catch(async (error: unknown) => {
        await expect(Promise.reject(error)).rejects.toMatchObject(UNAVAILABLE);
      });
      await store.close();
      await write();
    });
  });

  test("a closed store cannot be locked", async (store) => {
    await store.close();
    await expect(store.exclusively(async () => undefined)).rejects.toMatchObject(UNAVAILABLE);
  });
}
