import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { browserPath } from "../../../scripts/servers/installation.mjs";

interface Started {
  readonly browser: Browser;
  /** It writes there besides its profile. */
  readonly home: string;
}

let started: Promise<Started> | undefined;
let kept: Promise<Page> | undefined;

const OPTIONS: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };

/** A new context of the browser, which is started where it has not been. */
export async function newContext(): Promise<BrowserContext> {
  started ??= startBrowser();
  const context = await (await started).browser.newContext(OPTIONS);
  context.setDefaultTimeout(100_000);
  return context;
}

/**
 * The tab that most tests share, one after the other: a new one would have to compile the page, axe and what Playwright needs again, which
 * takes more time than all else.
 *
 * @param prepare is called for a new one
 */
export async function sharedTab(prepare: (page: Page) => Promise<void>): Promise<Page> {
  kept ??= newContext().then(async (context) => {
    const page = await context.newPage();
    await prepare(page);
    return page;
  });
  return await kept;
}

/** Closes the page in it, where that comes from this server. */
export async function leaveSharedTab(url: string): Promise<void> {
  const page = await kept;
  if (page?.url().startsWith(`${url}/`)) await page.goto("about:blank");
}

/** The next test gets a new one. */
export async function dropSharedTab(): Promise<void> {
  const page = await kept;
  kept = undefined;
  await page?.context().close();
}

export async function closeBrowser(): Promise<void> {
  const { browser, home } = (await started) ?? {};
  await browser?.close();
  if (home !== undefined) rmSync(home, { recursive: true, force: true });
}

/** The page is tested as it is built into the server. */
async function startBrowser(): Promise<Started> {
  checkBuild();
  const executablePath = browserPath();
  if (executablePath === null) throw new Error("Chromium is not installed");
  const home = mkdtempSync(join(tmpdir(), "autokestra-browser-"));
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    // It has no sandbox for root, and loads nothing here but our own page.
    chromiumSandbox: process.getuid?.() !== 0,
    // Pages of one context run in one process, which has compiled everything once.
    args: ["--renderer-process-limit=1"],
  });
  return { browser, home };
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
