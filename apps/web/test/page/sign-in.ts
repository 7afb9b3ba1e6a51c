import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPagePlace, expectGood, findTraces, findViolations, giveToken, type PagePlace } from "../page-place.ts";

let place: PagePlace;
beforeAll(async () => {
  place = await createPagePlace();
});
afterAll(async () => await place.close());

const MINUTE = 60_000;

describe("signing in", () => {
  it("says what is wrong with a token, and takes the right one, by keyboard", async () => {
    const token = await place.token("admin");
    const opened = await place.open({ width: 360 });
    const { page } = opened;
    await expectGood(opened);
    // The focus is where the token goes.
    await page.keyboard.type("not a token");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("This is not a token").waitFor();
    await page.keyboard.type(token.replace(/.{6}$/, "AAAAAA"));
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("does not take this token").waitFor();
    await expectGood(opened);
    await page.keyboard.type(token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Secrets", level: 1 }).waitFor();
    expect(
      await page.getByRole("heading", { level: 1 }).evaluate((heading) => heading === document.activeElement),
    ).toBe(true);
    await expectGood(opened);
    // W15, W16
    expect(await findTraces(opened, token)).toEqual([]);
  });

  it("is forgotten on reload, and when somebody signs out", async () => {
    const { page } = await place.signIn("admin");
    await page.reload();
    await giveToken(page, await place.token("admin"));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You have signed out").waitFor();
    await page.getByLabel("Token").waitFor();
  });

  it("is forgotten after 15 minutes without use, and not before", async () => {
    const opened = await place.open();
    const { page } = opened;
    await page.clock.install();
    await giveToken(page, await place.token("admin"));
    await page.clock.fastForward(14 * MINUTE);
    await page.keyboard.press("Tab");
    await page.clock.fastForward(14 * MINUTE);
    await page.getByRole("navigation", { name: "Main" }).waitFor();
    await page.clock.fastForward(MINUTE + 1000);
    await page.getByText("You were away for 15 minutes").waitFor();
    await expectGood(opened);
  });

  it("ends when the token is revoked", async () => {
    const { token } = await place.tokens.create({
      name: "to-revoke",
      role: "reader",
      prefixes: null,
      tags: null,
      expiresAt: null,
    });
    const { page } = await place.open();
    await giveToken(page, token);
    await page.getByText("No secrets yet").waitFor();
    await place.tokens.revoke("to-revoke");
    await page.getByLabel("Show").selectOption("deleted");
    await page.getByText("does not take your token any more").waitFor();
  });

  it.each([
    ["reader", ["Secrets"]],
    ["runner", ["Runs"]],
    ["auditor", ["Audit"]],
    ["admin", ["Secrets", "Runs", "Audit"]],
  ])("%s sees its parts", async (role, parts) => {
    const { page } = await place.signIn(role);
    expect(await page.getByRole("navigation", { name: "Main" }).getByRole("link").allTextContents()).toEqual(parts);
  });

  it("says so where the server does not answer", async () => {
    const { page } = await place.open();
    await page.context().setOffline(true);
    await page.getByLabel("Token").fill(await place.token("admin"));
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("The server does not answer").waitFor();
  });
});

describe("the search for traces", () => {
  it("finds a text wherever a page could leave it", async () => {
    const opened = await place.signIn("admin", { isAlone: true });
    const canary = "canary-5f2c91";
    await opened.page.evaluate((text) => {
      document.title = text;
      window.name = text;
      // biome-ignore lint/suspicious/noDocumentCookie: This is what the page must not do.
      document.cookie = `a=${text}`;
      localStorage.setItem("a", text);
      history.replaceState({ text }, "", `#/${text}`);
      const input = document.createElement("input");
      document.body.append(input);
      input.value = text;
      console.log(text);
      const database = indexedDB.open(text);
      return (async () => {
        await new Promise((resolve) => {
          database.onsuccess = resolve;
        });
        const cache = await caches.open("a");
        await cache.put("/a", new Response(text));
      })();
    }, canary);
    const places = await findTraces(opened, canary);
    expect(places.toSorted()).toEqual(
      [
        "DOM",
        "fields",
        "title",
        "history",
        "window.name",
        "storage",
        "databases",
        "caches",
        "cookies",
        "accessibility",
        "console",
        "all cookies",
      ].toSorted(),
    );
  });
});

it("the look at a view finds what is wrong with it, also in the third row of a table", async () => {
  const opened = await place.signIn("admin", { isAlone: true });
  await opened.page.evaluate(() => {
    const add = (parent: Element | null, name: string, text = "") => {
      const element = document.createElement(name);
      element.textContent = text;
      parent?.append(element);
      return element;
    };
    const main = document.querySelector("main");
    Object.assign(add(main, "p", "hardly to be read").style, { color: "#777", background: "#888" });
    const body = add(add(main, "table"), "tbody");
    for (const cell of ["td", "td", "button"]) add(add(body, "tr"), cell, cell === "td" ? "text" : "");
  });
  const found = await findViolations(opened.page);
  const rules = found.map((violation) => violation.split(":")[0]);
  expect(rules).toEqual(["dark color-contrast", "light button-name", "light color-contrast"]);
});
