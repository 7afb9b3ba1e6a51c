import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Locator, Page, Response } from "playwright-core";
import { expect, onTestFailed, onTestFinished } from "vitest";
import { createRunsPlace, type RunsPlace } from "../../../packages/server/test/runs-place.ts";
import { dropSharedTab, leaveSharedTab, newContext, sharedTab } from "./browser.ts";

/** A page of the server in a browser, with everything that it must not do. */
export interface OpenedPage {
  readonly page: Page;
  /** What the page has complained about: to the console, to the policy, or as an error that nothing has caught. */
  readonly complaints: readonly string[];
  /** Everything that was written to the console. */
  readonly written: readonly string[];
  /** The addresses of what the page has got from the server. */
  readonly fetched: readonly string[];
}

/** A server with the page, and with what is behind it. */
export interface PagePlace extends RunsPlace {
  /** `http://localhost:PORT` */
  readonly url: string;
  /** Opens the page in a context of its own, without having signed in. */
  open(options?: OpenOptions): Promise<OpenedPage>;
  /** Signs in with a token of this role, in the tab where the test before has been signed in. */
  signIn(role: string, options?: SignInOptions): Promise<OpenedPage>;
}

interface OpenOptions {
  /** What comes after `#`. Default: the first page. */
  readonly hash?: string;
  /** In pixels. Default: 1280. */
  readonly width?: number;
}

interface SignInOptions extends OpenOptions {
  /** In a context of its own, for what no other test is to have: a clock that stands still, no network. */
  readonly isAlone?: boolean;
}

/** Less than half of what `axe.source` is. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts a server with these workflows, by the names of their files. */
export async function createPagePlace(workflows: Readonly<Record<string, string>> = {}): Promise<PagePlace> {
  const place = await createRunsPlace(workflows);
  const files: { file: string; problem: string | null }[] = await (
    await place.app.inject({
      url: "/api/workflows",
      headers: { host: "localhost", authorization: `Bearer ${await place.token("admin")}` },
    })
  ).json();
  expect(files.filter(({ problem }) => problem !== null)).toEqual([]);
  const url = (await place.app.listen({ host: "127.0.0.1", port: 0 })).replace("127.0.0.1", "localhost");

  async function open({ hash = "", width = 1280 }: OpenOptions = {}): Promise<OpenedPage> {
    const context = await newContext();
    // A page that is left open goes on, and takes time from others.
    onTestFinished(async () => await context.close());
    const page = await context.newPage();
    await watch(page);
    const opened = takeOver(page);
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${url}/${hash}`);
    return opened;
  }

  /** The tab that tests share, where it asks for a token. */
  async function openShared({ hash = "", width = 1280 }: OpenOptions): Promise<OpenedPage> {
    const page = await sharedTab(watch);
    // What is left by a test that has failed is not for others.
    onTestFailed(dropSharedTab);
    const opened = takeOver(page);
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: "light" });
    if (page.url().startsWith(`${url}/`)) await page.evaluate(leaveTo, hash);
    else await page.goto(`${url}/${hash}`);
    return opened;
  }

  return {
    ...place,
    url,
    open,
    async signIn(role, { isAlone = false, ...options } = {}) {
      const opened = isAlone ? await open(options) : await openShared(options);
      await giveToken(opened.page, await place.token(role));
      return opened;
    },
    async close() {
      await leaveSharedTab(url);
      // The browser keeps some open that it has not used yet, for which the server would wait.
      place.app.server.closeAllConnections();
      await place.close();
    },
  };
}

/** Signs out where somebody is signed in, also below a dialog. Runs in the page. */
function leaveTo(hash: string): void {
  [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Sign out")?.click();
  location.hash = hash;
}

/** Goes on with the Tab key until something has the focus: whoever has no mouse gets there. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor();
  await page.evaluate(afterEffects);
  for (let presses = 0; presses < 80; ) {
    const distance = await target.evaluate(guessDistance);
    if (distance === 0) return;
    for (let step = 0; step < distance; step++, presses++) await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key does not lead to ${String(target)}`);
}

/** Once what is shown has taken the focus where it does. Runs in the page. */
async function afterEffects(): Promise<void> {
  await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

/**
 * How often to press Tab before it is worth looking where the focus is; 0: it is there. Too few do no harm, and too many lead around once
 * more. Runs in the page.
 */
function guessDistance(target: Element): number {
  if (target === document.activeElement) return 0;
  const stops = "a[href], button:enabled, input:enabled:not([type=radio]), select:enabled, textarea:enabled, summary";
  const isAfter = (a: Element, b: Element) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
  const from = document.activeElement ?? document.body;
  const between = [...(document.querySelector("dialog[open]") ?? document).querySelectorAll(stops)].filter(
    (stop) => stop.checkVisibility() && isAfter(from, stop) && isAfter(stop, target),
  );
  return between.length + 1;
}

/** Signs in with a token, and waits until that has worked. */
export async function giveToken(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

type Notes = Readonly<Record<"complaints" | "written" | "fetched", string[]>>;

/** What the pages of a tab do while a test has it. */
const notesOf = new WeakMap<Page, Notes>();

/** From now on, what the pages of a tab do is noted for another test. */
function takeOver(page: Page): OpenedPage {
  const notes: Notes = { complaints: [], written: [], fetched: [] };
  notesOf.set(page, notes);
  return { page, ...notes };
}

/** Notes what the pages of a tab do from now on. */
async function watch(page: Page): Promise<void> {
  const add = (kind: keyof Notes, text: string) => void notesOf.get(page)?.[kind].push(text);
  await page.exposeBinding("reportViolation", (_, what: string) => add("complaints", `policy: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      Reflect.get(window, "reportViolation")(`${violatedDirective} ${blockedURI}`),
    );
  });
  page.on("console", (message) => {
    add("written", message.text());
    // The browser writes down every answer that is no success, and the page tells it to the user.
    const isAnswer = message.location().url.includes("/api/") && message.text().startsWith("Failed to load resource");
    if ((message.type() === "error" || message.type() === "warning") && !isAnswer) add("complaints", message.text());
  });
  page.on("pageerror", (error) => add("complaints", `error: ${error.message}`));
  page.on("dialog", (dialog) => {
    add("complaints", `dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("response", (response: Response) => add("fetched", response.url()));
}

/** The page as it is now: what axe finds, whether something sticks out at the side, and what it has complained about. */
export async function expectGood({ page, complaints }: OpenedPage): Promise<void> {
  expect(await findViolations(page)).toEqual([]);
  expect(await widthBeyondScreen(page)).toBe(0);
  expect(complaints).toEqual([]);
}

/** What axe finds, in both themes. */
export async function findViolations(page: Page): Promise<string[]> {
  const found: string[] = [];
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    // Only colours differ.
    const violations = await page.evaluate(runAxe, colorScheme === "light" ? {} : { runOnly: ["color-contrast"] });
    found.push(...violations.map((violation) => `${colorScheme} ${violation}`));
  }
  return found;
}

/** Looks at one row of a table, and at one line of a log, of each kind. Runs in the page. */
async function runAxe(options: object): Promise<string[]> {
  const seen = new Set<string>();
  const exclude = [...document.querySelectorAll("main tbody tr, main ol li")].filter((row) => {
    // Classes and roles count; texts, and what they lead to, do not.
    const kind = row.outerHTML
      .replaceAll(/>[^<>]+</g, ">text<")
      .replaceAll(/ (href|title|datetime|aria-label)="[^"]+"/g, "");
    const isLikeAnother = seen.has(kind);
    seen.add(kind);
    return isLikeAnother;
  });
  const { axe } = window as unknown as { axe: typeof import("axe-core") };
  const { violations } = await axe.run({ exclude }, { ...options, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  );
}

/** How many pixels one can scroll to the side. */
async function widthBeyondScreen(page: Page): Promise<number> {
  return await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** The places where a text is still to be found, in anything that a browser keeps of the page. */
export async function findTraces({ page, written, fetched }: OpenedPage, text: string): Promise<string[]> {
  const urls = fetched.filter((url) => url.includes("/api/"));
  const kept = await page.evaluate(async (addresses) => {
    const fieldsOf = (root: ParentNode) =>
      [...root.querySelectorAll<HTMLInputElement>("input, textarea, select")].map(({ value }) => value);
    const entries =
      "navigation" in window
        ? (window.navigation as { entries(): { url: string; getState(): unknown }[] }).entries()
        : [];
    const cached = await Promise.all(
      addresses.map(async (address) => {
        try {
          const response = await fetch(address, { cache: "only-if-cached", mode: "same-origin" });
          return response.ok ? await response.text() : "";
        } catch {
          return "";
        }
      }),
    );
    const stored = await Promise.all(
      (await caches.keys()).map(async (name) => {
        const cache = await caches.open(name);
        const texts = (await cache.keys()).map(async (request) => await (await cache.match(request))?.text());
        return [name, await Promise.all(texts)];
      }),
    );
    return {
      DOM: document.documentElement.outerHTML,
      fields: fieldsOf(document),
      title: document.title,
      history: [location.href, history.state, ...entries.map((entry) => [entry.url, entry.getState()])],
      "window.name": window.name,
      storage: [Object.entries(localStorage), Object.entries(sessionStorage)],
      databases: (await indexedDB.databases()).map(({ name }) => name),
      caches: stored,
      "HTTP cache": cached,
      cookies: document.cookie,
      selection: String(getSelection()),
    };
  }, urls);
  const places: Record<string, unknown> = {
    ...kept,
    accessibility: await page.locator("body").ariaSnapshot(),
    console: written,
    "all cookies": await page.context().cookies(),
    addresses: fetched,
  };
  return Object.entries(places).flatMap(([place, content]) => (JSON.stringify(content).includes(text) ? [place] : []));
}
