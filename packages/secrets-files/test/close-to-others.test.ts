import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { closeToOthers } from "../src/index.ts";
import { refuse } from "./refuse.ts";
import { modeOf, temporaryFolder } from "./temporary-folder.ts";

it.each([
  ["file", "600", (place: string) => writeFileSync(place, "")],
  ["folder", "700", (place: string) => mkdirSync(place)],
] as const)("a %s gets the mode %s", (name, mode, make) => {
  const place = join(temporaryFolder(), name);
  make(place);
  chmodSync(place, 0o777);
  closeToOthers(place, mode, refuse);
  expect(modeOf(place)).toBe(mode);
});

it.runIf(process.platform === "linux")("what is not ours is refused, with the command for its owner", () => {
  // Linux lets nobody change this mode, not even root.
  expect(() => closeToOthers("/proc/self/status", "600", refuse)).toThrow(
    expect.objectContaining({
      message: 'other users can reach "/proc/self/status"',
      hint: 'Its owner must run `chmod 600 "/proc/self/status"`.',
    }),
  );
});

it("another error is passed on", () => {
  const place = join(temporaryFolder(), "none");
  expect(() => closeToOthers(place, "600", refuse)).toThrow(expect.objectContaining({ code: "ENOENT" }));
});
