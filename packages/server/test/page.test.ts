import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPage } from "../src/page.ts";
import { call, createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;
beforeAll(async () => {
  place = await createServerPlace();
});
afterAll(async () => await place.close());

const files = readPage();

describe("the page", () => {
  it("is there without a token, and nothing else is", async () => {
    const names = files.map(({ path }) => path.replace(/^(\/assets\/index-)[\w-]+/, "$1"));
    expect(names.toSorted()).toEqual(["/", "/assets/index-.css", "/assets/index-.js", "/icon.svg"]);
    for (const { path } of files) expect((await call(place.app, "GET", path, null)).statusCode).toBe(200);
    for (const path of ["/index.html", "/assets", "/assets/x.js", "/THIRD_PARTY_NOTICES.txt", "/page"])
      expect((await call(place.app, "GET", path, null)).statusCode).toBe(401);
    expect((await call(place.app, "POST", "/", await place.token("admin"))).statusCode).toBe(405);
  });

  it.each(files)("$type has the headers of the page, compressed or not", async ({ path, type, body }) => {
    const plain = await call(place.app, "GET", path, null);
    // Of hundreds of kilobytes: toEqual would compare them byte by byte.
    expect(plain.rawPayload.equals(body)).toBe(true);
    const compressed = await call(place.app, "GET", path, null, { headers: { "accept-encoding": "br, gzip" } });
    expect(compressed.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(compressed.rawPayload).equals(body)).toBe(true);
    for (const { headers } of [plain, compressed]) {
      expect(headers).toMatchObject({
        "content-type": type,
        "content-security-policy": expect.stringContaining("script-src 'self'; style-src 'self';"),
        "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        vary: "accept-encoding",
      });
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*|http/);
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    }
  });

  it("leaves the answers of the API as they are", async () => {
    const { headers } = await call(place.app, "GET", "/api/secrets", await place.token("admin"));
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'self'; base-uri/);
  });

  it("has no script or style in its markup", () => {
    const markup = files.find(({ path }) => path === "/")?.body.toString() ?? "";
    expect(markup).not.toMatch(/<style|<script[^>]*>[^<]|\sstyle=|\son\w+=|javascript:|https?:/);
  });

  it("is less than 60 KB, compressed", () => {
    const bytes = files.reduce((sum, { compressed }) => sum + compressed.length, 0);
    console.log(`the page has ${(bytes / 1024).toFixed(1)} KiB, compressed`);
    expect(bytes).toBeLessThan(60_000);
  });
});
