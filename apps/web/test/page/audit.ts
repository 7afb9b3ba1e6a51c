import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { call } from "../../../../packages/server/test/server-place.ts";
import { openDatabase } from "../../../../packages/sqlite/test/open-database.ts";
import { createPagePlace, expectGood, findTraces, giveToken, type PagePlace, tabTo } from "../page-place.ts";

const WORKFLOWS = {
  "quick.yaml": `{ apiVersion: v1, id: quick, secrets: [A_1], tasks: [{ id: say, type: core/console.log, inputs: { message: "{{ secrets.A_1 }}" } }] }`,
};

let place: PagePlace;
let run: string;
beforeAll(async () => {
  place = await createPagePlace(WORKFLOWS);
  const { secrets } = place.manager;
  const input = (name: string) => ({ name, type: "apiKey", fields: { value: "audit-canary-55" } }) as const;
  for (const name of ["A_1", "B_1"]) await secrets.create(input(name));
  for (let count = 0; count < 60; count++) await secrets.get("B_1");
  const started = await call(place.app, "POST", "/api/runs", await place.token("runner"), {
    payload: { workflow: "quick" },
  });
  run = started.json<{ execution: string }>().execution;
  await place.ended(run);
});
afterAll(async () => await place.close());

const ALL = { prefixes: null, tags: null, expiresAt: null };

const row = (page: Page, text: RegExp) => page.getByRole("row", { name: text });

it("is listed with the newest first, filtered, and read page by page", async () => {
  const opened = await place.signIn("admin", { hash: "#/audit" });
  const { page } = opened;
  await page.getByText("50 records, the newest first").waitFor();
  expect(await page.getByRole("row").nth(1).textContent()).toContain("Ended a run");
  await expectGood(opened);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText(/^Page 2: \d+ records/).waitFor();
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByText("50 records, the newest first").waitFor();

  await page.getByLabel("Secret", { exact: true }).fill("A_1");
  await expect.poll(async () => await row(page, /B_1/).count()).toBe(0);
  await row(page, /Used a secret in a run/).waitFor();
  await page.getByRole("combobox", { name: "What" }).selectOption({ label: "Created a secret" });
  await expect.poll(async () => await page.getByRole("row").count()).toBe(3);
  await row(page, /Intended/).waitFor();
  await page.getByLabel("When").selectOption({ label: "The last hour" });
  await expect.poll(() => page.url()).toContain("since=1h");
  await page.getByLabel("Who").fill("nobody");
  await page.getByText("No record is like this").waitFor();
  await expectGood(opened);
  await page.getByRole("link", { name: "Show all records" }).click();
  await page.getByText("50 records, the newest first").waitFor();
  expect(await findTraces(opened, "audit-canary-55")).toEqual([]);
});

it("is filtered by how it went, in the address, and names the tokens that are there", async () => {
  const reader = await place.tokens.create({ ...ALL, name: "looks-around", role: "reader" });
  const bot = await place.tokens.create({ ...ALL, name: "release-bot", role: "revealer" });
  const [secret] = await place.manager.secrets.list({ prefix: "A_1" });
  const decrypt = async (token: string) => await call(place.app, "GET", `/api/secrets/${secret?.id}/decrypt`, token);
  const statuses = [(await decrypt(reader.token)).statusCode, (await decrypt(bot.token)).statusCode];
  expect(statuses).toEqual([403, 200]);
  await place.manager.secrets.get("ABSENT").catch(() => undefined);
  const opened = await place.signIn("auditor", { hash: "#/audit" });
  const { page } = opened;
  await row(page, /release-bot/).waitFor();
  expect(await row(page, /release-bot/).textContent()).toContain(`token ${bot.metadata.id.slice(0, 8)}`);
  const outcome = page.getByRole("combobox", { name: "How it went" });
  await outcome.selectOption({ label: "Refused" });
  await row(page, /looks-around/).waitFor();
  await expect.poll(async () => await row(page, /release-bot/).count()).toBe(0);
  expect(page.url()).toContain("outcome=refused");
  await expectGood(opened);
  await outcome.selectOption({ label: "An error" });
  await row(page, /SECRET_NOT_FOUND/).waitFor();
  await expect.poll(async () => await row(page, /looks-around/).count()).toBe(0);
  await page.evaluate(() => location.assign("#/audit?outcome=SECRET_NOT_FOUND"));
  await expect.poll(async () => await outcome.inputValue()).toBe("SECRET_NOT_FOUND");
  await row(page, /SECRET_NOT_FOUND/).waitFor();
  await place.tokens.revoke("release-bot");
  await page.evaluate(() => location.assign("#/audit?action=read"));
  await row(page, new RegExp(bot.metadata.id.slice(0, 8))).waitFor();
  expect(await row(page, /release-bot/).count()).toBe(0);
  await page.setViewportSize({ width: 360, height: 800 });
  await expectGood(opened);
});

it("leads from a record to its run, and back to all records of the run", async () => {
  const opened = await place.signIn("admin", { hash: "#/audit", width: 360 });
  const { page } = opened;
  await page.setViewportSize({ width: 900, height: 800 });
  await page
    .getByRole("link", { name: `run ${run.slice(0, 8)}` })
    .first()
    .click();
  await page.getByText("Complete").waitFor();
  await page.getByRole("link", { name: "Its records in the audit log" }).click();
  await page.getByText("3 records, the newest first").waitFor();
  await page.setViewportSize({ width: 360, height: 800 });
  await expectGood(opened);
});

it("is verified by keyboard alone, and says in words what was found", async () => {
  const opened = await place.signIn("auditor", { width: 360 });
  const { page } = opened;
  const verify = page.getByRole("button", { name: "Verify" });
  await tabTo(page, verify);
  await page.keyboard.press("Enter");
  await page.getByText(/^✓ The log is as it was written: \d+ records/).waitFor();
  await expectGood(opened);
});

it("says which record somebody has changed in the database", async () => {
  const database = openDatabase(`${place.folder}/secrets/access.db`);
  const actor = database.prepare<[], string>("SELECT actor_id FROM audit WHERE seq = 7").pluck().get();
  const change = (id: string | undefined) => database.prepare("UPDATE audit SET actor_id = ? WHERE seq = 7").run(id);
  const opened = await place.signIn("auditor", { hash: "#/audit" });
  const { page } = opened;
  const verify = page.getByRole("button", { name: "Verify" });
  const report = page.locator(".report");
  change("innocent");
  try {
    await verify.click();
    await report.getByText("The log is not as it was written. Record 7: changed").waitFor();
    await report.getByText("Keep a copy of the database before you do anything else").waitFor();
    expect(await report.textContent()).not.toContain("✓");
    await expectGood(opened);
    await page.setViewportSize({ width: 360, height: 800 });
    await expectGood(opened);
  } finally {
    change(actor);
    database.close();
  }
  await verify.click();
  await report.getByText(/^✓ The log is as it was written/).waitFor();
});

it("is verified by no token that sees only some secrets", async () => {
  const { page } = await place.open({ hash: "#/audit" });
  await giveToken(page, await place.token("auditor", { prefixes: ["A_"] }));
  await row(page, /A_1/).first().waitFor();
  expect(await row(page, /B_1/).count()).toBe(0);
  expect(await page.getByRole("button", { name: "Verify" }).count()).toBe(0);
});
