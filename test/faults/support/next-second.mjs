import { setTimeout } from "node:timers/promises";

/** Waits until the clock shows another second. A timer may come a little too early: it counts from when its turn began. */
export async function nextSecond() {
  const secondNow = () => Math.floor(Date.now() / 1000);
  for (const before = secondNow(); secondNow() === before; ) await setTimeout(1000 - (Date.now() % 1000));
}
