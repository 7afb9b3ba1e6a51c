import { afterAll, beforeAll, expect, it } from "vitest";
import { call, createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;

beforeAll(async () => {
  place = await createServerPlace();
});
afterAll(async () => await place.close());

it("W18: markup in texts of people reaches no browser as markup", async () => {
  const { app } = place;
  const token = await place.token("admin");
  const markup = "<script>alert(1)</script><img src=x onerror=alert(1)>";
  const payload = { name: "MARKUP", value: markup, description: markup, tags: ["<b>"] };
  const made = await call(app, "POST", "/api/secrets", token, { payload });
  const { id } = made.json<{ id: string }>();
  const answers = [
    made,
    await call(app, "GET", "/api/secrets", token),
    await call(app, "GET", `/api/secrets?tag=${encodeURIComponent(markup)}`, token),
    await call(app, "GET", `/api/secrets?prefix=${encodeURIComponent(markup)}`, token),
    await call(app, "GET", `/api/secrets/${id}/decrypt`, token),
    await call(app, "GET", `/api/secrets/name/${encodeURIComponent(markup)}`, token),
    await call(app, "GET", `/api/secrets/${id}/decrypt?field=${encodeURIComponent(markup)}`, token),
    await call(app, "POST", "/api/secrets", token, { payload: { name: markup, value: "v" } }),
    await call(app, "POST", "/api/secrets", token, { payload: { [markup]: 1 } }),
    await call(app, "GET", `/${encodeURIComponent(markup)}`, token),
    await call(app, "GET", `/${markup}`, null),
  ];
  for (const { headers } of answers) {
    expect(headers["content-type"]).toMatch(/^application\/(problem\+)?json\b/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'/);
  }
  const pages = ["/docs", "/docs/style.css", "/openapi.json"];
  for (const page of pages) expect((await call(app, "GET", page, token)).payload).not.toMatch(/alert\(|MARKUP/);
  // What is in a log line stays in it.
  expect(place.log.join("")).not.toContain("alert(");
});
