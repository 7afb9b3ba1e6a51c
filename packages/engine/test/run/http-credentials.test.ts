import { createServer, type Server } from "node:http";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { logged, tryRun } from "./try-run.ts";

const MASK = "***SECRET***";
const TOKEN = "1ssued-by-the-server";
const SESSION = "s3ss10n-of-the-server";

let server: Server;
let url: string;
const received: unknown[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    received.push(request.headers.authorization);
    if (request.url === "/denied") response.statusCode = 401;
    response.setHeader("content-type", "application/json");
    response.setHeader("set-cookie", [`sid=${SESSION}; Path=/; HttpOnly`]);
    response.end(JSON.stringify({ access_token: TOKEN, token_type: "Bearer", echo: request.headers.authorization }));
  });
  url = `${await listen(server)}/`;
});
beforeEach(() => {
  received.length = 0;
});
afterAll(() => server.close());

describe("KM4: tokens and cookies of core/http", () => {
  it("are masked without being named, and reach the next task", async () => {
    const outcome = await tryRun(`
  - { id: login, type: core/http.get, inputs: { url: "${url}" } }
  - { id: use, type: core/http.get, needs: [login], inputs: { url: "${url}", auth: { bearer: "{{ tasks.login.output.body.access_token }}" } } }
  - { id: say, type: core/console.log, needs: [use], inputs: { message: "{{ tasks.use.output.body }} ${SESSION} Path=/" } }`);
    expect(outcome.finished.status).toBe("success");
    expect(received).toEqual([undefined, `Bearer ${TOKEN}`]);
    expect(outcome.finished.tasks["login"]?.output).toMatchObject({
      body: { access_token: MASK, token_type: "Bearer" },
      headers: { "set-cookie": [`${MASK}; Path=/; HttpOnly`] },
    });
    expect(logged(outcome)[0]).toBe(
      `{"access_token":"${MASK}","token_type":"Bearer","echo":"Bearer ${MASK}"} ${MASK} Path=/`,
    );
    expect(Object.keys(outcome.finished.masked).sort()).toEqual([
      "tasks.login.output.body",
      "tasks.login.output.headers.set-cookie",
    ]);
    for (const text of [TOKEN, SESSION]) expect(outcome.out).not.toContain(text);
  });

  it("are masked in the body that a failure quotes", async () => {
    const outcome = await tryRun(`  - { id: login, type: core/http.get, inputs: { url: "${url}denied" } }`);
    expect(outcome.finished.tasks["login"]?.error?.message).toContain(`"access_token":"${MASK}"`);
    for (const text of [TOKEN, SESSION]) expect(outcome.out).not.toContain(text);
  });
});
