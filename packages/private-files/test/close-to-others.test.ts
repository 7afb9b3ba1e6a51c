import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { expect, it, vi } from "vitest";
import { restrictToOwner } from "../src/index.ts";
import { refuse } from "./refuse.ts";

// Root may change every mode: only so is a file not ours, whoever runs this.
vi.mock(import("node:fs"), async (original) => {
  const fs = await original();
  return { ...fs, chmodSync: vi.fn(fs.chmodSync) };
});

it.each([
  ["file", "600", (place: string) => writeFileSync(place, "")],
  ["folder", "700", (place: string) => mkdirSync(place)],
] as const)("a %s gets the mode %s", (name, mode, make) => {
  const place = join(temporaryFolder(), name);
  make(place);
  chmodSync(place, 0o777);
  restrictToOwner(place, mode, refuse);
  expect(modeOf(place)).toBe(mode);
});

it("what is not ours is refused, with the command for its owner", () => {
  const place = join(temporaryFolder(), "file");
  vi.mocked(chmodSync).mockImplementationOnce(() => {
    throw Object.assign(new Error("operation not permitted"), { code: "EPERM" });
  });
  expect(() => restrictToOwner(place, "600", refuse)).toThrow(
    expect.objectContaining({
      message: `other users can reach "${place}"`,
      hint: `Its owner must run \`chmod 600 "${place}"\`.`,
    }),
  );
});

it("another error is passed on", () => {
  const place = join(temporaryFolder(), "none");
  expect(() => restrictToOwner(place, "600", refuse)).toThrow(expect.objectContaining({ code: "ENOENT" }));
});
