import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_WORKFLOWS, storeDemoSecrets } from "../demo.ts";
import {
  createPagePlace,
  expectGood,
  findTraces,
  giveToken,
  type OpenedPage,
  type PagePlace,
  tabTo,
} from "../page-place.ts";

let place: PagePlace;
beforeAll(async () => {
  place = await createPagePlace(DEMO_WORKFLOWS);
  await storeDemoSecrets(place);
});
afterAll(async () => await place.close());

/** The names in the list. */
const listed = async (page: Page) => await page.getByRole("rowheader").getByRole("link").allTextContents();
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name, exact: true });
const fieldsOf = async (name: string) => (await place.manager.secrets.get(name)).fields;

/** Opens the page of a secret. */
async function openSecret(opened: OpenedPage, name: string): Promise<void> {
  const { id } = (await place.manager.secrets.find(name)) ?? {};
  await opened.page.goto(`${place.url}/#/secrets/${id}`);
  await heading(opened.page, name).waitFor();
}

/** Presses keys until something has the focus, and then Enter. */
async function enter(page: Page, target: ReturnType<typeof button>): Promise<void> {
  await tabTo(page, target);
  await page.keyboard.press("Enter");
}

/** From now on, time passes as the test says: a busy machine must not be too slow for it. */
async function stopClock(page: Page): Promise<void> {
  // It cannot stop at a moment that is over.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 60_000));
}

async function fillByKeys(page: Page, label: string, text: string): Promise<void> {
  await tabTo(page, page.getByLabel(label, { exact: true }));
  await page.keyboard.type(text);
}

describe("the list of secrets", () => {
  it("is searched by the beginning of a name, type, tag, and what expires", async () => {
    const opened = await place.signIn("reader");
    const { page } = opened;
    await page.getByText("1 to 8 of 8 secrets").waitFor();
    await page.getByText("2 secrets expired, or will within 30 days.").waitFor();
    await fillByKeys(page, "Name begins with", "DB_");
    await page.getByText("1 to 2 of 2 secrets").waitFor();
    expect(await listed(page)).toEqual(["DB_BACKUP", "DB_MAIN"]);
    await fillByKeys(page, "Tag", "nightly");
    await page.getByText("1 to 1 of 1 secret").waitFor();
    await page.getByLabel("Type").selectOption("oauth");
    await page.getByText("No secret matches").waitFor();
    await expectGood(opened);
    await page.getByRole("link", { name: "Remove the filters" }).click();
    await page.getByText("of 8 secrets").waitFor();
    expect(await page.getByLabel("Name begins with").inputValue()).toBe("");
    await page.getByRole("link", { name: "Show", exact: true }).click();
    await page.getByText("of 2 secrets").waitFor();
    expect(await listed(page)).toEqual(["GITHUB_TOKEN", "PAYMENTS"]);
    expect(await button(page, "New secret").count()).toBe(0);
  });

  it("has pages, which stay right while others write", async () => {
    const own = await createPagePlace();
    try {
      const input = (name: string) => ({ name, type: "apiKey", fields: { value: "v" } }) as const;
      const names = Array.from({ length: 120 }, (_, index) => `S_${String(index).padStart(3, "0")}`);
      await own.manager.secrets.setAll(names.map(input));
      const opened = await own.signIn("reader", { width: 360 });
      const { page } = opened;
      await page.getByText("1 to 50 of 120 secrets").waitFor();
      expect(await button(page, "Previous").isDisabled()).toBe(true);
      await expectGood(opened);
      await own.manager.secrets.create(input("S_0005"));
      await enter(page, button(page, "Next"));
      await page.getByText("51 to 100 of 121 secrets").waitFor();
      expect((await listed(page))[0]).toBe("S_050");
      await button(page, "Next").click();
      await page.getByText("101 to 120 of 121 secrets").waitFor();
      expect(await button(page, "Next").isDisabled()).toBe(true);
      await button(page, "Previous").click();
      await page.getByText("51 to 100").waitFor();
    } finally {
      await own.close();
    }
  });

  it("says what to do where there is nothing", async () => {
    const own = await createPagePlace();
    try {
      const opened = await own.signIn("admin");
      await opened.page.getByText("No secrets yet").waitFor();
      await expectGood(opened);
      await opened.page.getByRole("link", { name: "Store the first one" }).click();
      await heading(opened.page, "New secret").waitFor();
    } finally {
      await own.close();
    }
  });
});

describe("a new secret", () => {
  it("is stored by keyboard alone, and its value is nowhere in the browser", async () => {
    const value = "canary-8d41-value";
    const opened = await place.signIn("admin", { width: 360 });
    const { page } = opened;
    await enter(page, page.getByRole("link", { name: "New secret" }));
    await heading(page, "New secret").waitFor();
    await expectGood(opened);
    await fillByKeys(page, "Name", "NEW_KEY");
    await fillByKeys(page, "Value", `${value}\nsecond line`);
    await fillByKeys(page, "Description", "for the test");
    await fillByKeys(page, "Tags", "a, b");
    await page.getByLabel("Expires").fill("2031-05-06");
    await page.getByText("Who may use it").click();
    await fillByKeys(page, "Workflows", "deploy, nightly");
    await fillByKeys(page, "Hosts", "api.example.com");
    // The search finds it while it is there.
    expect(await findTraces(opened, value)).toContain("fields");
    await expectGood(opened);
    await enter(page, button(page, "Store secret"));
    await heading(page, "NEW_KEY").waitFor();
    await page.getByText("2 of this server").or(page.getByText("No workflow of this server")).waitFor();
    expect(await fieldsOf("NEW_KEY")).toEqual({ value: `${value}\nsecond line` });
    expect(await place.manager.secrets.find("NEW_KEY")).toMatchObject({
      description: "for the test",
      tags: ["a", "b"],
      expiresAt: "2031-05-06T00:00:00.000Z",
      policy: expect.stringContaining("api.example.com"),
    });
    expect(await findTraces(opened, value)).toEqual([]);
    await expectGood(opened);
  });

  it("can be of every type, also for somebody who sees no values", async () => {
    const types: readonly [type: string, label: string, fields: Record<string, string>, stored: object][] = [
      ["basicAuth", "User and password", { "User name": "ada", Password: "pw" }, { username: "ada", password: "pw" }],
      [
        "bearerToken",
        "Bearer token",
        { Token: "t", "Token expires": "2031-01-31" },
        { token: "t", expiresAt: "2031-01-31T00:00:00.000Z" },
      ],
      [
        "oauth",
        "OAuth client",
        { "Client id": "i", "Client secret": "s", Scopes: "one two", "Token URL": "https://id.example/token" },
        { clientId: "i", clientSecret: "s", tokenUrl: "https://id.example/token", scopes: ["one", "two"] },
      ],
      ["custom", "Custom fields", { "Field name": "host", Value: "h" }, { host: "h" }],
    ];
    const { page } = await place.signIn("writer");
    for (const [type, label, fields, stored] of types) {
      await page.goto(`${place.url}/#/secrets/new`);
      await page.getByRole("radio", { name: label }).check();
      await page.getByLabel("Name", { exact: true }).fill(`OF_${type}`);
      for (const [field, text] of Object.entries(fields)) await page.getByLabel(field, { exact: true }).fill(text);
      await button(page, "Store secret").click();
      await heading(page, `OF_${type}`).waitFor();
      expect(await place.manager.secrets.get(`OF_${type}`)).toMatchObject({ metadata: { type }, fields: stored });
      await page.getByText("Your token may not see values").waitFor();
      expect(await page.getByRole("button", { name: /^Show|^Copy/ }).count()).toBe(0);
    }
  });

  it("can have fields of its own, some of them public", async () => {
    const opened = await place.signIn("admin", { hash: "#/secrets/new", width: 360 });
    const { page } = opened;
    await page.getByRole("radio", { name: "Custom fields" }).check();
    await page.getByLabel("Name", { exact: true }).fill("WITH_FIELDS");
    const field = (index: number) => page.getByRole("group", { name: `Field ${index}`, exact: true });
    for (const [index, name] of ["host", "key", "unused"].entries()) {
      if (index > 0) await button(page, "Add a field").click();
      await field(index + 1)
        .getByLabel("Field name")
        .fill(name);
      await field(index + 1)
        .getByLabel("Value", { exact: true })
        .fill(`the ${name}`);
    }
    await button(page, "Remove field unused").click();
    await page.getByText("Which fields are masked in logs").click();
    await page.getByLabel("Masking of host").selectOption("public");
    await expectGood(opened);
    await button(page, "Store secret").click();
    await heading(page, "WITH_FIELDS").waitFor();
    expect(await place.manager.secrets.get("WITH_FIELDS")).toMatchObject({
      fields: { host: "the host", key: "the key" },
      flags: { public: ["host"] },
    });
  });

  it("that is refused says why, and keeps what was typed", async () => {
    const opened = await place.signIn("admin", { hash: "#/secrets/new" });
    const { page } = opened;
    await page.getByLabel("Name", { exact: true }).fill("DB_MAIN");
    await page.getByLabel("Value", { exact: true }).fill("typed");
    await button(page, "Store secret").click();
    await page.getByRole("alert").getByText("Secret 'DB_MAIN' already exists").waitFor();
    await expectGood(opened);
    expect(await page.getByLabel("Value", { exact: true }).inputValue()).toBe("typed");
  });
});

describe("a value", () => {
  it("is shown for 20 seconds, and leaves nothing behind", async () => {
    const value = "canary-77ab-reveal";
    await place.manager.secrets.create({ name: "REVEALED", type: "apiKey", fields: { value } });
    const opened = await place.open({ width: 360 });
    const { page } = opened;
    await page.clock.install();
    await giveToken(page, await place.token("revealer"));
    await openSecret(opened, "REVEALED");
    await tabTo(page, button(page, "Show Value"));
    await stopClock(page);
    await page.keyboard.press("Enter");
    await page.getByLabel("Value of Value").waitFor();
    expect(await page.getByLabel("Value of Value").inputValue()).toBe(value);
    expect(await findTraces(opened, value)).toEqual(["fields", "accessibility"]);
    await page.clock.runFor(18_000);
    expect(await page.getByLabel("Value of Value").count()).toBe(1);
    await page.clock.runFor(3000);
    await button(page, "Show Value").waitFor();
    expect(await findTraces(opened, value)).toEqual([]);
    expect(opened.fetched.some((url) => url.endsWith("/decrypt?field=value"))).toBe(true);
  });

  it("is hidden by its button, and when one leaves its page", async () => {
    const value = "canary-12cd-hide";
    await place.manager.secrets.create({ name: "HIDDEN", type: "apiKey", fields: { value } });
    const opened = await place.signIn("admin", { width: 360, isAlone: true });
    const { page } = opened;
    await openSecret(opened, "HIDDEN");
    await button(page, "Show Value").click();
    await page.getByLabel("Value of Value").waitFor();
    await expectGood(opened);
    await enter(page, button(page, "Hide Value"));
    await button(page, "Show Value").waitFor();
    expect(await findTraces(opened, value)).toEqual([]);
    await button(page, "Show Value").click();
    await page.getByLabel("Value of Value").waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await button(page, "Show Value").waitFor();
    await button(page, "Show Value").click();
    await page.getByLabel("Value of Value").waitFor();
    await page.getByRole("link", { name: "← Secrets" }).click();
    await heading(page, "Secrets").waitFor();
    expect(await findTraces(opened, value)).toEqual([]);
    await page.goBack();
    await heading(page, "HIDDEN").waitFor();
    expect(await findTraces(opened, value)).toEqual([]);
  });

  it("is copied without being shown, and the clipboard is emptied after 30 seconds", async () => {
    const opened = await place.open();
    const { page } = opened;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.clock.install();
    await giveToken(page, await place.token("admin"));
    const clipboard = async () => await page.evaluate(async () => await navigator.clipboard.readText());
    await openSecret(opened, "DB_MAIN");
    await tabTo(page, button(page, "Copy Password"));
    await stopClock(page);
    await page.keyboard.press("Enter");
    await page.getByText("Password is in the clipboard for 30 seconds").waitFor();
    expect(await clipboard()).toBe("demo-password");
    expect(await findTraces(opened, "demo-password")).toEqual([]);
    await page.clock.runFor(29_000);
    expect(await clipboard()).toBe("demo-password");
    await page.clock.runFor(1500);
    await page.getByText("The clipboard has been emptied").waitFor();
    expect(await clipboard()).toBe("");
  });

  it("says so where the browser does not let it empty the clipboard, and does it later", async () => {
    const opened = await place.open();
    const { page } = opened;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.clock.install();
    await giveToken(page, await place.token("admin"));
    await openSecret(opened, "DB_MAIN");
    await button(page, "Copy Password").click();
    await page.getByText("Password is in the clipboard").waitFor();
    await page.evaluate(() => {
      const { clipboard } = navigator;
      const write = clipboard.writeText.bind(clipboard);
      let refusals = 1;
      clipboard.writeText = async (text) => {
        if (refusals-- > 0) throw new DOMException("Document is not focused.", "NotAllowedError");
        await write(text);
      };
    });
    await page.clock.runFor(31_000);
    await page.getByText("The value is still in the clipboard").waitFor();
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await page.getByText("The clipboard has been emptied").waitFor();
    expect(await page.evaluate(async () => await navigator.clipboard.readText())).toBe("");
  });
});

describe("a secret", () => {
  it("tells what is known of it, and who uses it", async () => {
    const opened = await place.signIn("admin");
    const { page } = opened;
    await openSecret(opened, "GITHUB_TOKEN");
    await page.getByRole("region", { name: "Used by" }).getByText("deploy.yaml, task checkout").waitFor();
    await page.getByRole("region", { name: "About" }).getByText("all workflows").waitFor();
    await expectGood(opened);
  });

  it("is changed: name, description, tags, who may use it", async () => {
    const secret = {
      name: "TO_CHANGE",
      type: "apiKey",
      fields: { value: "before" },
      tags: ["old"],
      expiresAt: "90d",
    } as const;
    await place.manager.secrets.create(secret);
    const opened = await place.signIn("admin", { width: 360 });
    const { page } = opened;
    await openSecret(opened, "TO_CHANGE");
    await enter(page, page.getByRole("link", { name: "Edit" }));
    await heading(page, "Edit TO_CHANGE").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("CHANGED");
    await fillByKeys(page, "Description", "now it has one");
    await page.getByLabel("Tags").fill("new");
    await page.getByLabel("Expires").fill("");
    await expectGood(opened);
    await enter(page, button(page, "Save changes"));
    await heading(page, "CHANGED").waitFor();
    expect(await place.manager.secrets.get("CHANGED")).toMatchObject({
      metadata: { description: "now it has one", tags: ["new"], expiresAt: null, version: 1 },
      fields: { value: "before" },
    });
  });

  it("gets other values, from those that are stored", async () => {
    const fields = { username: "ada", password: "old-password" };
    await place.manager.secrets.create({ name: "NEW_PASSWORD", type: "basicAuth", fields });
    const opened = await place.signIn("admin");
    const { page } = opened;
    await openSecret(opened, "NEW_PASSWORD");
    await page.getByRole("link", { name: "Edit" }).click();
    await button(page, "Replace the values").click();
    await button(page, "Fill in what is stored").click();
    const userName = page.getByLabel("User name", { exact: true });
    await expect.poll(async () => await userName.inputValue()).toBe("ada");
    await page.getByLabel("Password", { exact: true }).fill("new-password");
    await button(page, "Save changes").click();
    await heading(page, "NEW_PASSWORD").waitFor();
    expect(await fieldsOf("NEW_PASSWORD")).toEqual({ username: "ada", password: "new-password" });
    expect(await findTraces(opened, "new-password")).toEqual([]);
    expect(await findTraces(opened, "old-password")).toEqual([]);
  });

  it("is not overwritten where somebody else has changed it meanwhile", async () => {
    await place.manager.secrets.create({ name: "CONTENDED", type: "apiKey", fields: { value: "v" } });
    const { page, ...opened } = await place.signIn("admin");
    await openSecret({ page, ...opened }, "CONTENDED");
    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Description").fill("mine");
    await place.manager.secrets.edit("CONTENDED", { description: "theirs" });
    await button(page, "Save changes").click();
    await page.getByRole("alert").getByText("has been changed").waitFor();
    expect(await place.manager.secrets.find("CONTENDED")).toMatchObject({ description: "theirs" });
  });

  it("goes back to an older version, which can be looked at before", async () => {
    const secrets = place.manager.secrets;
    await secrets.create({ name: "ROLLED", type: "apiKey", fields: { value: "first-value" } });
    await secrets.setValue("ROLLED", "second-value");
    const opened = await place.signIn("admin", { width: 360 });
    const { page } = opened;
    await openSecret(opened, "ROLLED");
    await enter(page, button(page, "Open version 1"));
    await enter(page, button(page, "Show Version 1"));
    expect(await page.getByLabel("Value of Version 1").inputValue()).toBe("first-value");
    await expectGood(opened);
    await enter(page, button(page, "Roll back to version 1"));
    await page.getByRole("dialog", { name: "Roll back to version 1?" }).waitFor();
    await expectGood(opened);
    await page.keyboard.press("Escape");
    expect(await page.getByRole("dialog").count()).toBe(0);
    await enter(page, button(page, "Roll back to version 1"));
    await enter(page, button(page, "Roll back"));
    await page.getByText("as version 3").waitFor();
    expect(await fieldsOf("ROLLED")).toEqual({ value: "first-value" });
  });

  it("is deleted, restored, and removed for good", async () => {
    await place.manager.secrets.create({ name: "GONE", type: "apiKey", fields: { value: "v" } });
    const opened = await place.signIn("admin", { width: 360 });
    const { page } = opened;
    await openSecret(opened, "GONE");
    await enter(page, button(page, "Delete"));
    await expectGood(opened);
    await enter(page, page.getByRole("dialog").getByRole("button", { name: "Delete" }));
    await heading(page, "Secrets").waitFor();
    expect(await place.manager.secrets.find("GONE")).toBe(null);
    await page.getByLabel("Show").selectOption("deleted");
    await enter(page, button(page, "Restore GONE"));
    await enter(page, page.getByRole("dialog").getByRole("button", { name: "Restore" }));
    await page.getByText("Nothing is deleted").waitFor();
    expect(await place.manager.secrets.find("GONE")).toMatchObject({ name: "GONE" });
    await place.manager.secrets.delete("GONE");
    await page.reload();
    await giveToken(page, await place.token("admin"));
    await expectGood(opened);
    await button(page, "Remove GONE for good").click();
    await button(page, "Remove for good").click();
    await page.getByText("Nothing is deleted").waitFor();
    expect(await place.manager.secrets.list({ state: "deleted" })).toEqual([]);
  });
});

it("W18: markup is shown as text", async () => {
  const markup = `<img src=x onerror="alert(1)"><script>alert(2)</script>{{ secrets.X }}`;
  await place.manager.secrets.create({
    name: "MARKUP",
    type: "custom",
    fields: { value: markup },
    description: markup,
    tags: [markup, "javascript:alert(3)"],
  });
  const opened = await place.signIn("admin", { hash: "#/secrets?prefix=MARKUP" });
  const { page } = opened;
  await page.getByText(markup).first().waitFor();
  await expectGood(opened);
  await page.getByRole("link", { name: "MARKUP" }).click();
  await button(page, "Show value").click();
  expect(await page.getByLabel("Value of value").inputValue()).toBe(markup);
  await expectGood(opened);
  await page.getByRole("link", { name: markup }).click();
  await page.getByText("1 to 1 of 1 secret").waitFor();
  await page.goto(`${place.url}/#/secrets?tag=${encodeURIComponent(markup)}&show=${encodeURIComponent(markup)}`);
  await page.goto(`${place.url}/#/${encodeURIComponent(markup)}/%E0%A4%A`);
  await heading(page, "Nothing here").waitFor();
  await expectGood(opened);
  expect(await page.locator("img[src=x], script:not([src])").count()).toBe(0);
});
