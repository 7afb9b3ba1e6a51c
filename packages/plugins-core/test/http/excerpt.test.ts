import { expect, it } from "vitest";
import { excerpt } from "../../src/http/http-failure.ts";

const SECRET = "s3cr3t with spaces & signs";

it.each([
  ["", ""],
  [" short \n", "short"],
  ["x".repeat(200), "x".repeat(200)],
  ["x".repeat(201), `${"x".repeat(200)}…`],
  ["\u{1f511}".repeat(201), `${"\u{1f511}".repeat(200)}…`],
])("KP1: %j", (text, expected) => {
  expect(excerpt(text, ["https://a.example/", SECRET])).toBe(expected);
});

it("KP1: never shows the beginning of something sent that the cut goes through", () => {
  for (let before = 170; before <= 205; before++) {
    const shown = excerpt(`${"x".repeat(before)}${SECRET} was wrong ${"y".repeat(100)}`, [`Key ${SECRET}`]);
    const whole = shown.includes(SECRET);
    expect(whole || /^x+…$/.test(shown), shown).toBe(true);
  }
});

it("KP1: can be made of a long text that is sent back", () => {
  const text = "x".repeat(1_000_000);
  expect(excerpt(text, [text])).toBe("…");
});
