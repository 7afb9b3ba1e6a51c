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

/** What Playwright turns off in Chromium; the browser keeps the last list that it is given. */
const OFF_FOR_PLAYWRIGHT = [
  "AvoidUnnecessaryBeforeUnloadCheckSync",
  "DestroyProfileOnBrowserClose",
  "HttpsUpgrades",
  "HttpsFirstBalancedModeAutoEnable",
  "LensOverlay",
  "MediaRouter",
  "PaintHolding",
  "ThirdPartyStoragePartitioning",
  "AvoidCorsURLLoaderRestartOnRedirect",
  "TcpPortRandomizationWin",
  "OptimizationHints",
  "NetworkTimeServiceQuerying",
  "AimEnabled",
  "PreconnectToSearch",
  "msForceBrowserSignIn",
  "msEdgeUpdateLaunchServicesPreferredVersion",
];

/** What drops down from the address bar is a page of its own: without it, a new window takes a fifth of the CPU time. */
const ADDRESS_BAR = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"];

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
    args: [`--disable-features=${[...OFF_FOR_PLAYWRIGHT, ...ADDRESS_BAR].join()}`],
  });
  checkFeatures(server.process().spawnargs);
  provide("browser", server.wsEndpoint());
  return async () => {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  };
}

/** Playwright may turn off more than it did. */
function checkFeatures(args: readonly string[]): void {
  const [theirs = [], ours = []] = args.flatMap((arg) => {
    const [, names] = /^--disable-features=(.*)/.exec(arg) ?? [];
    return names === undefined ? [] : [names.split(",")];
  });
  const missing = theirs.filter((name) => !ours.includes(name));
  if (missing.length > 0) throw new Error(`OFF_FOR_PLAYWRIGHT is without ${missing.join(", ")}`);
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
