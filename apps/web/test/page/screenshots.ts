import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DEMO_WORKFLOWS, storeDemoSecrets } from "../demo.ts";
import { createPagePlace, expectGood, type PagePlace } from "../page-place.ts";

/** The pictures of the documentation are made anew with `SCREENSHOTS=1`; otherwise only what is on them is checked. */
const IMAGES = fileURLToPath(new URL("../../../../docs/images/", import.meta.url));
const isWriting = process.env["SCREENSHOTS"] === "1";

let place: PagePlace;
beforeAll(async () => {
  place = await createPagePlace(DEMO_WORKFLOWS);
  await storeDemoSecrets(place);
});
afterAll(async () => await place.close());

interface Scene {
  readonly name: string;
  readonly theme: "light" | "dark";
  readonly width: number;
  readonly height: number;
  /** Goes to where the picture is taken. */
  readonly visit: (page: Page) => Promise<void>;
}

const SCENES: readonly Scene[] = [
  {
    name: "secrets",
    theme: "light",
    width: 1100,
    height: 640,
    visit: async (page) => await page.getByRole("link", { name: "WEBHOOK_KEY" }).waitFor(),
  },
  {
    name: "secret-dark",
    theme: "dark",
    width: 1100,
    height: 700,
    async visit(page) {
      await page.getByRole("link", { name: "GITHUB_TOKEN" }).click();
      await page.getByRole("button", { name: "Show Value" }).click();
      await page.getByLabel("Value of Value").waitFor();
      await page.getByText("deploy.yaml").waitFor();
    },
  },
  {
    name: "new-secret-360",
    theme: "light",
    width: 360,
    height: 760,
    async visit(page) {
      await page.getByRole("link", { name: "New secret" }).click();
      await page.getByRole("radio", { name: "User and password" }).check();
    },
  },
  {
    name: "run",
    theme: "light",
    width: 1100,
    height: 960,
    async visit(page) {
      await page.goto(`${place.url}/#/runs/workflows/release`);
      await page.getByRole("button", { name: "Start" }).click();
      await page.getByText("browser tests begin").waitFor();
      await page.getByRole("link", { name: /^build, .*Succeeded/ }).waitFor();
    },
  },
  {
    name: "audit-dark",
    theme: "dark",
    width: 1100,
    height: 760,
    async visit(page) {
      await page.getByRole("link", { name: "Audit" }).click();
      await page.getByRole("button", { name: "Verify" }).click();
      await page.getByText("as it was written:").waitFor();
    },
  },
];

it.each(SCENES)("$name", async ({ name, theme, width, height, visit }) => {
  const opened = await place.signIn("admin", { width });
  const { page } = opened;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await visit(page);
  if (isWriting) {
    mkdirSync(IMAGES, { recursive: true });
    await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  }
  await expectGood(opened);
  expect(await page.title()).toMatch(/autokestra/);
});
