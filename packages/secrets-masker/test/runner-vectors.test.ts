import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf } from "./leaks.ts";

const P = "***SECRET***";
const ESC = "\u001b";

/** The cases of `HostContextL0.DefaultSecretMaskers` in actions/runner 2.336.0, with what this masker makes of them. */
const masker = createMasker([
  "Password123!",
  'Pass"word"123!',
  "Pass word 123!",
  "Pass<word>123!",
  "Pass'word'123!",
  '"Password123!!"',
  '"short"',
]);

it.each([
  ["123Password123!123", `123${P}123`],
  ["password123", "password123"],
  ['123Pass\\"word\\"123!123', `123${P}123`],
  ["123Pass%20word%20123%21123", `123${P}123`],
  ["123Pass&lt;word&gt;123!123", `123${P}123`],
  ["123Pass''word''123!123", `123${P}123`],
  // The runner leaves the character before that has bits of the value.
  [btoa(":Password123!"), `O${P}`],
  [btoa("a:Password123!"), `YT${P}`],
  [btoa("ab:Password123!"), `YWI6${P}`],
  [btoa("abc:Password123!"), `YWJjO${P}`],
  [btoa("abcd:Password123!"), `YWJjZDp${P}`.replace("p*", "*")],
  [btoa("abcde:Password123!"), `YWJjZGU6${P}`],
  ["123Password123!!123", `123${P}123`],
  ["123short123", "123short123"],
  ['123"short"123', `123${P}123`],
])("M1: the runner's %s", (text, masked) => {
  expect(masker.mask(text)).toBe(masked);
});

/** `HostContextL0.SectionSecretMasking`: PowerShell colours a part of the value. */
describe.each([
  ["secret&secret&secret", `secret&secret&${ESC}[96msecret${ESC}[0m`],
  ["secret&secret+secret", `secret&${ESC}[96msecret+secret${ESC}[0m`],
  ["secret+secret&secret", `secret+secret&${ESC}[96msecret${ESC}[0m`],
  ["secret&secret&+secretsecret", `secret&secret&+${ESC}[96ms${ESC}[0mecretsecret`],
  ["secret&+secret&secret", `secret&+${ESC}[96ms${ESC}[0mecret&secret`],
  ["secret&+secret&+secret", `secret&+${ESC}[96ms${ESC}[0mecret&+secret`],
  ["secret&+secret&secret&+secret", `secret&+${ESC}[96ms${ESC}[0mecret&secret&+secret`],
  ["secret&secret&+", `secret&secret&+${ESC}[96m${ESC}[0m`],
])("M1, M17: the sections of %s", (value, printed) => {
  it("show no 8 characters", () => {
    expect(leaksOf(createMasker([value]).mask(printed), value)).toEqual([]);
  });
});

it("M1: a proxy's password is masked where the URL is known", () => {
  expect(createMasker(["http://user:password123@127.0.0.1:8888"]).mask("curl -x user:password123")).toBe(
    `curl -x user:${P}`,
  );
});
