import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { browserPath } from "../../../scripts/servers/installation.mjs";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the browser takes what tests tell it. */
    browser: string;
  }
}

/** Starts one browser for all tests of the page, which is tested as it is built into the server. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  checkBuild();
  const executablePath = browserPath();
  if (executablePath === null) throw new Error("Chromium is not installed");
  // It writes there besides its profile.
  const home = mkdtempSync(join(tmpdir(), "autokestra-browser-"));
  const server = await chromium.launchServer({
    executablePath,
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    // It has no sandbox for root, and loads nothing here but our own page.
    chromiumSandbox: process.getuid?.() !== 0,
  });
  provide("browser", server.wsEndpoint());
  return async () => {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  };
}

/** A test of what was built before the last change would say nothing. */
function checkBuild(): void {
  const built = newest(fileURLToPath(new URL("../../../packages/server/dist/page/", import.meta.url)));
  const sources = ["src", "public"].map((name) => newest(fileURLToPath(new URL(`../${name}/`, import.meta.url))));
  if (built < Math.max(...sources)) throw new Error("The page is older than its sources: build it before its tests");
}

/** When a file of a folder was changed last; 0 where there is none. */
function newest(folder: string): number {
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return Math.max(0, ...files.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs));
  } catch {
    return 0;
  }
}
