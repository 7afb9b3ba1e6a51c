import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
import { createMasker } from "@autokestra/secrets-masker";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maskCutText } from "../../src/run/redacting-sink.ts";
import { logged, tryRun } from "./try-run.ts";

const OTHER = 'oTh3r-"k3y"-Zz/81+22 with blanks';
const LINES = "-----BEGIN KEY-----\nQUJDREVGR0hJSktMTU5P\nUFFSU1RVVldYWVphYmNk\n-----END KEY-----\n";
const secrets = {
  OTHER: { type: "apiKey", fields: { value: OTHER } },
  LINES: { type: "apiKey", fields: { value: LINES } },
} as const;

/** What a server, a log or a serializer makes of a value. */
const FORMS: readonly [string, string][] = [
  ["as it is", OTHER],
  ["as JSON", JSON.stringify(OTHER).slice(1, -1)],
  ["in a URL", encodeURIComponent(OTHER)],
  ["in base64", Buffer.from(OTHER).toString("base64")],
  ["in base64 behind other bytes", Buffer.from(`u:${OTHER}`).toString("base64").slice(3)],
  ["in hex", Buffer.from(OTHER).toString("hex")],
  ["of several lines", LINES.split("\n").slice(1, 3).join("\n")],
  ["with a colour inside", `${OTHER.slice(0, 6)}\u001b[31m${OTHER.slice(6)}`],
];

/** Four characters of it and more. Three that a value begins with as well are chance. */
function shows(text: string, form: string): boolean {
  return text.includes(form.slice(0, 4));
}

describe("KP1: a value of another secret where an excerpt of a response is cut", () => {
  let server: Server;
  let place: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const [, before = "", form = ""] = (request.url ?? "").split("/");
      response.writeHead(404, { "content-type": "text/plain" });
      response.end(`${"~".repeat(Number(before))}${FORMS[Number(form)]?.[1]}${"~".repeat(200)}`);
    });
    place = await listen(server);
  });
  afterAll(() => void server.close());

  /** In `npm test`, at every third place. */
  const step = process.env["LONG_TESTS"] === "true" ? 1 : 3;

  it.each(FORMS.map(([name, form], index) => [name, form, index] as const))(
    "%s: at every place",
    async (_, form, index) => {
      const from = 200 - form.length;
      const places = Array.from({ length: form.length }, (_item, offset) => from + offset);
      const tasks = places
        .filter((at) => at % step === index % step)
        .map(
          (before) =>
            `  - { id: t${before}, type: core/http.get, continueOnError: true, inputs: { url: "${place}/${before}/${index}" } }\n`,
        );
      const { finished, out } = await tryRun(tasks.join(""), { secrets });
      expect(out).toContain("status 404 Not Found: ~~~");
      for (const { error } of Object.values(finished.tasks)) {
        expect(shows(error?.message ?? form, form), error?.message).toBe(false);
      }
      expect(shows(out, form)).toBe(false);
    },
  );
});

describe("KP1: a value that others have cut", () => {
  const long = "k3y-".repeat(80);
  const nodeErrors: readonly [string, () => unknown][] = [
    ["a wrong type", () => Buffer.alloc(OTHER as unknown as number)],
    ["a wrong argument", () => readFileSync("x", long as BufferEncoding)],
    ["an ellipsis in the middle", () => fail(`got '${OTHER.slice(0, 20)}...' (32 characters)`)],
    ["one character for it", () => fail(`got '${OTHER.slice(0, 20)}…'`)],
    ["many dots", () => fail(`${OTHER.slice(0, 4)}.....`)],
    ["several", () => fail(`${OTHER.slice(0, 9)}… and ${long.slice(0, 50)}… end`)],
    ["behind a retry", () => fail(`got '${OTHER.slice(0, 20)}...'`, true)],
  ];
  function fail(message: string, retryable = false): never {
    throw new TaskError({ message, retryable });
  }

  it.each(nodeErrors)("%s", async (_, run) => {
    const actions = { one: defineAction({ input: z.strictObject({}), run }) };
    const { out, finished } = await tryRun(
      "  - { id: a, type: test/do.one, inputs: {}, retry: { max: 1, backoffSeconds: 0 } }\n",
      { actions, secrets: { ...secrets, LONG: { type: "apiKey", fields: { value: long } } } },
    );
    expect(finished.tasks["a"]?.error?.message).toMatch(/\.\.\.|…/);
    expect(shows(out, OTHER) || shows(out, long), out).toBe(false);
  });

  it("in a log line: from 16 characters on", async () => {
    const actions = {
      one: defineAction({
        input: z.strictObject({}),
        run(_, { log }) {
          try {
            Buffer.alloc(OTHER as unknown as number);
          } catch (error) {
            log.error(error instanceof Error ? error.message : "");
          }
          log.info(`${OTHER.slice(0, 15)}... ${OTHER.slice(0, 16)}... ${OTHER}...`);
        },
      }),
    };
    const outcome = await tryRun("  - { id: a, type: test/do.one, inputs: {} }\n", { actions, secrets });
    expect(logged(outcome)).toEqual([
      expect.stringMatching(/Received type string \('\.\.\.'\)$/),
      `${OTHER.slice(0, 15)}... ... ***SECRET***...`,
    ]);
  });

  it("finds nothing in a thousand that are no values", () => {
    const masker = createMasker([OTHER]);
    const text = `${"oTh3r-other text".repeat(2)}...`.repeat(1000);
    expect(maskCutText(text, masker, 16)).toBe(text);
  });

  it.each([
    ["nothing of it", "Loading users..."],
    ["less than four characters", "my oTh... and oTh…"],
    ["the whole value before it", "***SECRET***..."],
    ["a placeholder", "***SECRET***…"],
    ["no ellipsis", "oTh3r-. And more.."],
    ["a value with an ellipsis inside", "***SECRET*** ..."],
  ])("leaves alone what shows %s", (_, expected) => {
    const masker = createMasker([OTHER, "value with ... and … inside", "key-0815…"]);
    const text = expected
      .replace("***SECRET*** ...", "value with ... and … inside ...")
      .replace("***SECRET***...", `${OTHER}...`);
    expect(maskCutText(text, masker, 4)).toBe(expected);
  });
});
