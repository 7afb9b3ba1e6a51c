import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";

/**
 * A store that reads as empty and is made when its header is written, which comes before everything else that is written. What
 * fails before leaves nothing behind.
 */
export function createDeferredStore(make: () => Promise<SecretStore>): SecretStore {
  let store = createMemoryStore();
  let isMade = false;
  let closed = false;
  /** One at a time: two headers at once would make two stores. */
  let making: Promise<void> = Promise.resolve();

  async function makeOnce(): Promise<void> {
    if (isMade || closed) return;
    store = await make();
    isMade = true;
  }

  return {
    get backend() {
      return store.backend;
    },
    async writeHeader(...args) {
      making = making.then(makeOnce, makeOnce);
      await making;
      return await store.writeHeader(...args);
    },
    layout: () => store.layout(),
    upgrade: (...args) => store.upgrade(...args),
    readHeader: () => store.readHeader(),
    get: (name) => store.get(name),
    find: (id) => store.find(id),
    history: (id) => store.history(id),
    ids: (page) => store.ids(page),
    list: (filter) => store.list(filter),
    put: (...args) => store.put(...args),
    rewrite: (...args) => store.rewrite(...args),
    reseal: (...args) => store.reseal(...args),
    delete: (...args) => store.delete(...args),
    purge: (...ids) => store.purge(...ids),
    purgeDeleted: (before) => store.purgeDeleted(before),
    readAnchor: (name) => store.readAnchor(name),
    writeAnchor: (...args) => store.writeAnchor(...args),
    async close() {
      closed = true;
      await store.close();
    },
  };
}
