import type { SecretStore } from "@autokestra/secrets-core";

/** How long a lease holds without being renewed, in milliseconds: a killed process delays the next one by that. */
const LEASE_MS = 15_000;

/**
 * Runs `work` while no other process that has the same store open holds the lease of this name. It is renewed as long as
 * `work` runs. The lease is kept in the store, so that it holds for all drivers and machines whose clocks agree within a
 * few seconds. It is not authenticated: anyone who can write to the store can take it.
 *
 * @param work gets a signal that is aborted if the lease is lost, because this process was stopped for too long
 * @param takesOver end the lease of another process, which notices it. Default: false
 * @returns null if another process holds the lease
 */
export async function withLease<T>(
  store: Pick<SecretStore, "readAnchor" | "writeAnchor">,
  name: string,
  work: (lost: AbortSignal) => Promise<T>,
  takesOver = false,
): Promise<{ readonly value: T } | null> {
  const anchor = `${name} lease`;
  const current = await store.readAnchor(anchor);
  if (!takesOver && current !== null && Date.parse(current.text) > Date.now()) return null;
  let counter = current?.counter ?? null;
  let until = 0;

  /** @returns false if another process has taken the lease */
  async function holdUntil(time: number): Promise<boolean> {
    const next = (counter ?? 0) + 1;
    const text = new Date(time).toISOString();
    if (!(await store.writeAnchor({ name: anchor, counter: next, text, mac: "" }, counter))) return false;
    [counter, until] = [next, time];
    return true;
  }

  if (!(await holdUntil(Date.now() + LEASE_MS))) return null;
  const lost = new AbortController();
  let renewing: Promise<void> = Promise.resolve();
  async function renew(): Promise<void> {
    try {
      if (!(await holdUntil(Date.now() + LEASE_MS))) lost.abort();
    } catch {
      // A store that is locked may be free the next time.
      if (Date.now() >= until) lost.abort();
    }
  }
  const timer = setInterval(() => {
    renewing = renewing.then(async () => (lost.signal.aborted ? undefined : await renew()));
  }, LEASE_MS / 3);
  timer.unref();
  try {
    return { value: await work(lost.signal) };
  } finally {
    clearInterval(timer);
    await renewing;
    // One that cannot be ended ends by itself.
    if (!lost.signal.aborted) await holdUntil(0).catch(() => false);
  }
}
