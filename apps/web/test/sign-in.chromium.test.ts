import { afterAll, beforeAll, it } from "vitest";
import { createPagePlace, expectGood, giveToken, type PagePlace } from "./page-place.ts";

let place: PagePlace;
beforeAll(async () => {
  place = await createPagePlace();
});
afterAll(async () => await place.close());

it("asks for a token, and says what is wrong with one", async () => {
  const opened = await place.open();
  await expectGood(opened);
});

it("signs in", async () => {
  const opened = await place.open();
  await giveToken(opened.page, await place.token("admin"));
  await expectGood(opened);
});
