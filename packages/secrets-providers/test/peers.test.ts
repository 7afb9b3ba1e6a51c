import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, expect, it } from "vitest";
import { loadPeer } from "../src/peers.ts";

const folder = temporaryFolder(afterAll);
const place = join(folder, "node_modules", "some-peer");
mkdirSync(place, { recursive: true });
writeFileSync(join(place, "index.js"), "exports.from = 'folder';");

const failing = (code?: string) => async () =>
  await Promise.reject(Object.assign(new Error("canary"), code && { code }));
const fromFolder = (load: NodeJS.Require): object => load("some-peer");

it("is taken beside us, where it is there", async () => {
  const besideUs = async () => await Promise.resolve({ from: "beside us" });
  expect(await loadPeer("some-peer", folder, { besideUs, fromFolder })).toEqual({ from: "beside us" });
});

it("is taken from the folder of the configuration, where it is not", async () => {
  const besideUs = failing("ERR_MODULE_NOT_FOUND");
  expect(await loadPeer("some-peer", folder, { besideUs, fromFolder })).toEqual({ from: "folder" });
});

it.each<[string, string | undefined, string | undefined, RegExp]>([
  ["no folder", "ERR_MODULE_NOT_FOUND", undefined, /^the npm package some-peer, .* is not installed$/],
  ["no folder, and it is broken", "ERR_DLOPEN_FAILED", undefined, /cannot be loaded \(ERR_DLOPEN_FAILED\)$/],
  ["no folder, and it throws", undefined, undefined, /cannot be loaded \(unknown error\)$/],
  ["a folder without it", undefined, join(tmpdir(), "nowhere"), /is not installed$/],
])("is named where there is %s", async (_, code, where, reason) => {
  expect(await loadPeer("some-peer", where, { besideUs: failing(code), fromFolder })).toMatchObject({
    status: "malformed",
    reason: expect.stringMatching(reason),
    hint: "Install some-peer in the folder of the configuration.",
  });
});
