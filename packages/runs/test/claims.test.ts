import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, expect, it, vi } from "vitest";
import { openRunHistory, type QueuedRuns, type RunHistory } from "../src/index.ts";

const opened: RunHistory[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const history of opened.splice(0)) await history.close();
});

interface Server extends Pick<RunHistory["claims"], "take" | "last"> {
  readonly queued: QueuedRuns;
  claim(key: string, id: string): Promise<string>;
  release(key: string, id: string): Promise<void>;
}

/** As two servers have one. */
async function openTwice() {
  const path = join(temporaryFolder(), "runs.db");
  const histories = [await openRunHistory({ path }), await openRunHistory({ path })] as const;
  opened.push(...histories);
  return histories.map(({ claims, queued }) => ({
    ...claims,
    queued,
    claim: async (key: string, id: string) => await queued.add({ id, workflow: "w", file: null, start: null }, key),
    release: async (key: string, id: string) => await queued.remove(id, key),
  })) as unknown as [Server, Server];
}

it("a key belongs to the first run that has it", async () => {
  const [one, other] = await openTwice();
  const ids = Array.from({ length: 20 }, (_, index) => `run-${index}`);
  const owners = await Promise.all(ids.map(async (id, index) => await (index % 2 ? one : other).claim("key", id)));
  expect(new Set(owners).size).toBe(1);
  expect(await other.claim("another", "x")).toBe("x");
});

it("a key that was released is free, and another run cannot release it", async () => {
  const [one, other] = await openTwice();
  await one.claim("key", "a");
  await other.release("key", "b");
  expect(await other.claim("key", "b")).toBe("a");
  await other.release("key", "a");
  expect(await other.claim("key", "b")).toBe("b");
});

it("a key of a request is refused to another one, and free once it was released", async () => {
  const [one, other] = (await openTwice()).map(({ queued }) => queued) as [QueuedRuns, QueuedRuns];
  const run = (id: string) => ({ id, workflow: "w", file: null, start: null });
  const request = { key: '["k"]', content: "m1" };
  const taken = [
    await one.add(run("a"), "w k", request),
    await other.add(run("b"), "w k", request),
    // The key that counts where nothing is known of requests, and one that begins alike.
    await other.add(run("c"), "w k"),
    await other.add(run("d"), "w k2", { key: '["k2"]', content: "m1" }),
  ];
  expect(taken).toEqual(["a", "a", "c", "d"]);
  await other.remove("c", "w k");
  for (const content of ["m2", "", "m1 "])
    await expect(other.add(run("e"), "v k", { ...request, content })).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
    });
  expect(await other.find("e")).toBeNull();
  await other.remove("b", "w k", request);
  await expect(other.add(run("e"), "v k", { ...request, content: "m2" })).rejects.toThrow();
  await other.remove("a", "w k", request);
  expect(await other.add(run("e"), "v k", { ...request, content: "m2" })).toBe("e");
});

it("a key that a run has from before requests counted stays its own", async () => {
  const [one] = (await openTwice()).map(({ queued }) => queued) as [QueuedRuns];
  await one.add({ id: "a", workflow: "w", file: null, start: null }, "w k");
  const request = { key: '["k"]', content: "m1" };
  expect(await one.add({ id: "b", workflow: "w", file: null, start: null }, "w k", request)).toBe("a");
});

it("a key is free after 24 hours", async () => {
  const [one] = await openTwice();
  vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
  await one.claim("key", "a");
  vi.setSystemTime(Date.now() + 24 * 3_600_000 - 1);
  expect(await one.claim("key", "b")).toBe("a");
  vi.setSystemTime(Date.now() + 2);
  expect(await one.claim("key", "c")).toBe("c");
});

it("a clock that was years ahead, and is put right, keeps no key and no time", async () => {
  const [one, other] = await openTwice();
  const now = Date.now();
  vi.useFakeTimers({ now: Date.UTC(2140, 0, 1), toFake: ["Date"] });
  await one.claim("key", "a");
  expect(await one.take("w", new Date())).toBe(true);
  vi.setSystemTime(now);
  expect(await other.claim("key", "b")).toBe("b");
  const taken = [await one.take("w", new Date(now)), await other.take("w", new Date(now))];
  expect([...taken, await one.take("w", new Date(now + 1))]).toEqual([true, false, true]);
});

it("a time is taken once, with all before it", async () => {
  const [one, other] = await openTwice();
  const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour));
  expect(await one.last("w")).toBeNull();
  const taken = await Promise.all([one.take("w", at(2)), other.take("w", at(2)), one.take("w", at(2))]);
  expect(taken.filter(Boolean)).toHaveLength(1);
  expect([await one.take("w", at(1)), await other.take("w", at(3)), await other.take("v", at(1))]).toEqual([
    false,
    true,
    true,
  ]);
  expect(await one.last("w")).toEqual(at(3));
});
