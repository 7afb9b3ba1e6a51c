import { expect, it } from "vitest";
import { deadlineAfter, retryWhileBusy } from "../src/retry.ts";

it.each(["SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_PROTOCOL"])(
  "%s is tried again",
  async (code) => {
    let attempts = 0;
    const attempt = () => {
      attempts += 1;
      if (attempts < 3) throw Object.assign(new Error("busy"), { code });
      return "done";
    };
    expect([await retryWhileBusy(attempt, { giveUpAt: deadlineAfter(20_000) }), attempts]).toEqual(["done", 3]);
  },
);

it.each([0, -1, Number.NaN])("a timeout of %s is one attempt", async (timeout) => {
  let attempts = 0;
  const busy = Object.assign(new Error("busy"), { code: "SQLITE_BUSY_SNAPSHOT" });
  const attempt = () => {
    attempts += 1;
    throw busy;
  };
  await expect(retryWhileBusy(attempt, { giveUpAt: deadlineAfter(timeout) })).rejects.toBe(busy);
  expect(attempts).toBe(1);
});

it("any other error is not tried again", async () => {
  let attempts = 0;
  const attempt = () => {
    attempts += 1;
    throw new TypeError("broken");
  };
  await expect(retryWhileBusy(attempt, { giveUpAt: deadlineAfter(20_000) })).rejects.toThrow("broken");
  expect(attempts).toBe(1);
});

it("asks after each attempt when to stop", async () => {
  let attempts = 0;
  const attempt = () => {
    attempts += 1;
    throw Object.assign(new Error("busy"), { code: "SQLITE_BUSY" });
  };
  const giveUpAt = () => (attempts < 3 ? Number.POSITIVE_INFINITY : 0);
  await expect(retryWhileBusy(attempt, { giveUpAt, maxPauseMs: 0 })).rejects.toThrow("busy");
  expect(attempts).toBe(3);
});
