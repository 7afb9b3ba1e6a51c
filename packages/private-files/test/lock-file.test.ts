import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { withLockFile } from "../src/index.ts";

const UUID = "5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11";

it("one at a time works, with a private lock file that is gone afterwards", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  let working = 0;
  const work = async (isHeld: () => boolean) => {
    working += 1;
    expect([working, isHeld(), modeOf(`${path}.lock`)]).toEqual([1, true, "600"]);
    await setTimeout(5);
    working -= 1;
    return "done";
  };
  const outcomes = await Promise.all(Array.from({ length: 5 }, async () => await withLockFile(path, 5000, work)));
  expect(outcomes).toEqual(["done", "done", "done", "done", "done"]);
  expect(readdirSync(folder)).toEqual([]);
});

it("the lock is free again where the work has failed", async () => {
  const path = join(temporaryFolder(), "file");
  const fail = async () => await Promise.reject(new RangeError("broken"));
  await expect(withLockFile(path, 0, fail)).rejects.toThrow("broken");
  expect(existsSync(`${path}.lock`)).toBe(false);
});

it("null where the lock of a living process is not free in time, which keeps it", async () => {
  const path = join(temporaryFolder(), "file");
  writeFileSync(`${path}.lock`, `1 ${UUID}\n`);
  expect(await withLockFile(path, 30, async () => await Promise.resolve("done"))).toBe(null);
  expect(readFileSync(`${path}.lock`, "utf8")).toBe(`1 ${UUID}\n`);
});

it.each([
  ["of a process that no longer runs", `999999999 ${UUID}\n`, 0],
  ["that is older than 10 s", `${process.pid} ${UUID}\n`, 11],
  ["that a loss of power has left without content", "", 0],
])("a lock %s is taken over, and nothing is left beside it", async (_, content, age) => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  writeFileSync(`${path}.lock`, content);
  const then = Date.now() / 1000 - age;
  utimesSync(`${path}.lock`, then, then);
  expect(await withLockFile(path, 1000, async () => await Promise.resolve("done"))).toBe("done");
  expect(readdirSync(folder)).toEqual([]);
});

it("who has lost the lock is told, and leaves the lock of the next one alone", async () => {
  const path = join(temporaryFolder(), "file");
  const held = await withLockFile(path, 0, async (isHeld) => {
    writeFileSync(`${path}.lock`, `1 ${UUID}\n`);
    return await Promise.resolve(isHeld());
  });
  expect([held, existsSync(`${path}.lock`)]).toEqual([false, true]);
});
