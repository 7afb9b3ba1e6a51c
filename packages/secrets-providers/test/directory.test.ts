import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, describe, expect, it } from "vitest";
import { createDirectoryProvider } from "../src/directory.ts";
import { secretProviderContract } from "../src/testing/index.ts";

const folder = temporaryFolder(afterAll);

writeFileSync(join(folder, "token"), "value\n");
mkdirSync(join(folder, "db", "..2026"), { recursive: true });
writeFileSync(join(folder, "db", "..2026", "user"), "u");
symlinkSync("..2026/user", join(folder, "db", "user"));
writeFileSync(join(folder, "db", "password"), "p\r\n");

const open = () => createDirectoryProvider({ folder });

async function look(path: string, format: "json" | "text" = "json", place = folder) {
  const limits = { signal: new AbortController().signal, deadline: Date.now() + 100_000 };
  return await createDirectoryProvider({ folder: place }).lookup({ path, format }, limits);
}

describe("the contract", () => {
  secretProviderContract({ it, expect, open, stored: { path: "token", value: "value" }, missing: "none" });
});

describe("createDirectoryProvider", () => {
  it("gives the files of a folder as fields, through links, without what begins with a dot", async () => {
    expect(await look("db")).toEqual({ status: "found", secret: { value: { user: "u", password: "p" } } });
    expect(await look("db/password")).toEqual({ status: "found", secret: { value: "p" } });
  });

  it("takes nothing off a text", async () => {
    expect(await look("token", "text")).toEqual({ status: "found", secret: { value: "value\n" } });
  });

  it.each(["", "/etc/passwd", "../x", "a//b", "a/./b", "a\0b"])("looks for nothing outside: %j", async (path) => {
    expect(await look(path)).toMatchObject({
      status: "malformed",
      reason: expect.stringContaining("not a path inside"),
    });
  });

  it.each(["none", "token/below", "x".repeat(300)])("does not find %s", async (path) => {
    expect(await look(path)).toMatchObject({ status: "notFound" });
  });

  it("takes a folder that is not mounted for an outage", async () => {
    const answer = await look("token", "json", "/nowhere");
    expect(answer).toMatchObject({
      status: "unavailable",
      reason: "/nowhere/token cannot be read (ENOENT)",
      hint: "Check the folder /nowhere.",
    });
    const limits = { signal: new AbortController().signal, deadline: 0 };
    expect(await createDirectoryProvider({ folder: "/nowhere" }).check(limits)).toMatchObject({
      status: "unavailable",
    });
  });

  it.each<[string, (path: string) => void, string]>([
    [
      "larger than 4 MiB",
      (path) => {
        writeFileSync(path, "");
        truncateSync(path, 4 * 1024 * 1024 + 1);
      },
      "is larger than 4 MiB",
    ],
    ["not UTF-8", (path) => writeFileSync(path, Buffer.from([0xff])), "is not UTF-8 text"],
    ["a pipe", (path) => execFileSync("mkfifo", [path]), "is not a file"],
  ])("refuses what is %s", async (_what, make, reason) => {
    const place = mkdtempSync(join(folder, "bad-"));
    make(join(place, "x"));
    expect(await look("x", "json", place)).toMatchObject({
      status: "malformed",
      reason: expect.stringContaining(reason),
    });
  });

  it("takes 4 MiB, and refuses a folder with too many files", async () => {
    const place = mkdtempSync(join(folder, "large-"));
    writeFileSync(join(place, "x"), "y".repeat(4 * 1024 * 1024));
    expect((await look("x", "json", place)).status).toBe("found");
    mkdirSync(join(place, "many"));
    for (let index = 0; index <= 1000; index += 1) writeFileSync(join(place, "many", `f${index}`), "v");
    expect(await look("many", "json", place)).toMatchObject({
      status: "malformed",
      reason: expect.stringContaining("holds more than 1000 files"),
    });
  });

  it.runIf(process.getuid?.() !== 0)("is denied what it may not read", async () => {
    const place = mkdtempSync(join(folder, "closed-"));
    writeFileSync(join(place, "x"), "v");
    chmodSync(join(place, "x"), 0);
    expect(await look("x", "json", place)).toMatchObject({ status: "denied" });
  });
});
