import { setMaxListeners } from "node:events";
import { expect, it } from "vitest";
import { CallLimit } from "../../src/run/call-limit.ts";

const { signal } = new AbortController();
// As for the signal of a run.
setMaxListeners(0, signal);

/** Calls that go on until they are let go. */
function heldCalls(): {
  readonly hold: () => Promise<string>;
  readonly running: () => number;
  readonly letGo: () => void;
} {
  let running = 0;
  let letGo = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return {
    async hold() {
      running += 1;
      await gone;
      running -= 1;
      return "done";
    },
    running: () => running,
    letGo: () => letGo(),
  };
}

const many = <T>(count: number, start: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, start);

it("runs a hundred at a time, and the others after them", async () => {
  const limit = new CallLimit();
  const { hold, running, letGo } = heldCalls();
  const calls = many(250, async () => await limit.run(0, signal, hold));
  await expect.poll(running).toBe(100);
  letGo();
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["done"]));
});

it("keeps nothing from those that a caller waits for", async () => {
  const limit = new CallLimit();
  const nested = async (level: number): Promise<number> => {
    if (level === 10) return 1;
    const found = await Promise.all(
      many(level < 2 ? 11 : 1, async () => await limit.run(level, signal, async () => await nested(level + 1))),
    );
    return found.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  };
  expect(await nested(0)).toBe(121);
});

it("lets one go that is cancelled while it waits, and one that fails makes room", async () => {
  const limit = new CallLimit();
  const { hold, running, letGo } = heldCalls();
  const fail = async (): Promise<string> => {
    await hold();
    throw new Error("no");
  };
  const calls = many(100, async () => await limit.run(0, signal, fail).catch(String));
  await expect.poll(running).toBe(100);
  const cancel = new AbortController();
  let hasStarted = false;
  const cancelled = limit.run(0, cancel.signal, async () => {
    hasStarted = true;
  });
  const next = limit.run(0, signal, async () => "next");
  cancel.abort();
  expect(await cancelled).toBeNull();
  expect(await limit.run(0, cancel.signal, hold)).toBeNull();
  letGo();
  expect(await Promise.all(calls)).toEqual(calls.map(() => "Error: no"));
  expect(await next).toBe("next");
  expect(hasStarted).toBe(false);
});
