// @module-tag faults
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { installPluginSdk } from "@autokestra/test-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { permissionOptions } from "../../src/plugin-host/node-permissions.ts";
import { buildParent } from "./installed-plugin.ts";

let folder = "";
let parent = "";

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-plugins-")));
  await installPluginSdk(folder);
  cpSync(fileURLToPath(new URL("contract-plugin.js", import.meta.url)), join(folder, "contract.mjs"));
  parent = await buildParent(mkdtempSync(join(folder, "parent-")));
});
afterAll(() => rmSync(folder, { recursive: true }));

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it.each([
  ["deaf", "SIGKILL"],
  ["loop", "SIGKILL"],
  ["loop", "SIGTERM"],
] as const)("a plugin in '%s' ends with its parent, which ends by %s", async (action, signal) => {
  const task = `  - { id: t, type: test/contract.${action}, inputs: {} }`;
  const child = spawn(process.execPath, [parent, folder, "[./contract.mjs]", task], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let pid = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.event !== "task.log") continue;
    pid = Number(event.message);
    break;
  }
  expect(isRunning(pid)).toBe(true);
  child.kill(signal);
  await once(child, "exit");
  while (isRunning(pid)) await setTimeout(20);
});

it.each([
  ["Node.js 20", ["--experimental-permission"], true, ["--experimental-permission"]],
  ["Node.js 22 and 24", ["--permission", "--experimental-permission"], true, ["--permission"]],
  ["Node.js 26", ["--permission", "--allow-net"], true, ["--permission", "--allow-net"]],
  ["Node.js 26 without the network", ["--permission", "--allow-net"], false, ["--permission"]],
])("holds a process of %s to its permissions", (_node, flags, network, expected) => {
  const options = permissionOptions({ readable: ["/app/plugin/", "/app/one.js"], network }, new Set(flags));
  expect(options.filter((option) => /permission|allow-net/.test(option))).toEqual(expected);
  expect(options.filter((option) => option.includes("fs-"))).toEqual([
    "--allow-fs-read=/app/plugin/*",
    "--allow-fs-read=/app/one.js",
  ]);
});
