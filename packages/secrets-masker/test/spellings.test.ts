import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { urlSpellings } from "../src/values/parse-url.ts";

const P = "***SECRET***";
const HOOK = "http://127.0.0.1:80/hook/T0KEN-aaaa-9876?k=Zz11Yy22";

describe.each([
  ["href", HOOK, new URL(HOOK).href, P],
  ["path and query", HOOK, "404 /hook/T0KEN-aaaa-9876?k=Zz11Yy22", `404 ${P}`],
  ["path", HOOK, "path: /hook/T0KEN-aaaa-9876", `path: ${P}`],
  ["query", HOOK, "search: ?k=Zz11Yy22", `search: ${P}`],
  ["a segment", HOOK, "token T0KEN-aaaa-9876!", `token ${P}!`],
  [
    "host and scheme are shown",
    HOOK,
    "connect http://127.0.0.1/ 127.0.0.1:80",
    "connect http://127.0.0.1/ 127.0.0.1:80",
  ],
  ["another path is shown", HOOK, "http://127.0.0.1:80/health /hook", "http://127.0.0.1:80/health /hook"],
  [
    "upper case and dots",
    "HTTPS://Hooks.Example.test:443/a/../b/Zq9Wm4Xk7Lp2",
    "https://hooks.example.test/b/Zq9Wm4Xk7Lp2",
    P,
  ],
  [
    "another percent-encoding",
    "https://h.example.test/a b/Kk11 Ll22?q=ü1ü2ü3ü4",
    `GET ${new URL("https://h.example.test/a b/Kk11 Ll22?q=ü1ü2ü3ü4").pathname}`,
    `GET ${P}`,
  ],
  ["userinfo", "https://bob:p@ss wörd1@h.example.test/", new URL("https://bob:p@ss wörd1@h.example.test/").password, P],
  ["userinfo, the user", "https://bob:p@ss wörd1@h.example.test/", "bob", "bob"],
  ["a path of words alone", "https://h.example.test/hook/abcdefghijkl", "POST /hook/abcdefghijkl", `POST ${P}`],
  [
    "a path of words beside a password",
    "https://b:Pw-112233@h.example.test/team/app",
    "GET /team/app",
    "GET /team/app",
  ],
  [
    "punycode",
    "https://münchen.example.test/in/Hh66Jj77Kk88",
    "https://xn--mnchen-3ya.example.test/in/Hh66Jj77Kk88",
    P,
  ],
])("KM1: %s", (_, value, text, masked) => {
  it("of a URL", () => {
    expect(createMasker([value]).mask(text)).toBe(masked);
  });
});

it("KM1: a URL with letters beyond ASCII is one also where its reader was compiled for speed", () => {
  const value = "https://münchen.example.test/in/Hh66Jj77Kk88";
  // From about 4000 calls on, URL.canParse of Node.js 20 says no.
  for (let calls = 0; calls < 5000; calls++) urlSpellings(value, []);
  expect(urlSpellings(value, [])).toContain("https://xn--mnchen-3ya.example.test/in/Hh66Jj77Kk88");
});

it.each(["NFC", "NFD"])("KM1: a value in one normal form is masked in the other: %s", (form) => {
  const value = "Zürich-Schlüssel-Ä".normalize(form);
  for (const other of ["NFC", "NFD"]) expect(createMasker([value]).mask(`<${value.normalize(other)}>`)).toBe(`<${P}>`);
  expect(createMasker([JSON.stringify({ password: value })]).mask(value.normalize("NFD"))).toBe(P);
});

describe.each([
  [
    "with a digit",
    "MyTenant-8A7F",
    "getaddrinfo ENOTFOUND mytenant-8a7f.example.test",
    `getaddrinfo ENOTFOUND ${P}.example.test`,
  ],
  ["short, as a word", "Ab12", "https://ab12.example.test/ab123", `https://${P}.example.test/ab123`],
  ["of several labels", "MyTenant.Zone-9", "https://mytenant.zone-9.example.test", `https://${P}.example.test`],
  ["a word", "AcmeCorp", "https://acmecorp.example.test", `https:${P}.example.test`],
  ["a word, in an error", "AcmeCorp", "getaddrinfo ENOTFOUND acmecorp.example.test", `getaddrinfo ${P}.example.test`],
  ["a word, between dots", "AcmeCorp", "connect api.acmecorp.example.test", `connect api${P}example.test`],
  ["a word that stands alone is shown", "Production", "deployed to production.", "deployed to production."],
  ["not ASCII", "München-8A7F", `connect ${new URL("http://München-8A7F").hostname}`, `connect ${P}`],
  ["no name of a host", "Pass Word_1!", "pass word_1!", "pass word_1!"],
  ["no other case", "mytenant-8a7f", "MYTENANT-8A7F", "MYTENANT-8A7F"],
  ["no address", "0xAB12CD34", "171.18.205.52", "171.18.205.52"],
])("KM5: in the name of a host: %s", (_, value, text, masked) => {
  it("is masked in lower case", () => {
    expect(createMasker([value]).mask(text)).toBe(masked);
  });
});
