import { expect, it } from "vitest";
import { isUrl } from "../src/url.ts";

it("takes a URL with other letters also after thousands of calls, and no other text", () => {
  const urls = Array.from({ length: 6000 }, (_, at) => `http://bücher-${at}.example/`);
  expect(urls.filter((url) => !isUrl(url))).toEqual([]);
  expect(["", "bücher.example", "http://", "http://a b/"].filter(isUrl)).toEqual([]);
});
