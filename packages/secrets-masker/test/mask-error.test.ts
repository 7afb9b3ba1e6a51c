import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const SECRET = "correct-horse-battery";
const MASK = "***SECRET***";
const maskError = (error: unknown) => createMasker([SECRET]).maskValue(error) as Error;

class HttpError extends Error {
  override readonly name = "HttpError";
  readonly headers = { authorization: `Bearer ${SECRET}` };
  readonly #body = SECRET;

  toJSON() {
    return { body: this.#body };
  }

  override toString() {
    return this.#body;
  }

  [inspect.custom]() {
    return this.#body;
  }
}

it("message, stack, cause and own properties are masked", () => {
  const cause = Object.assign(new TypeError(`caused by ${SECRET}`), { code: "E_SECRET" });
  const copy = maskError(new Error(`failed: ${SECRET}`, { cause }));
  expect(copy).toBeInstanceOf(Error);
  expect(copy.message).toBe(`failed: ${MASK}`);
  expect(copy.stack).toMatch(/^Error: failed: \*\*\*SECRET\*\*\*\n {4}at .*mask-error\.test\.ts/);
  expect(copy.cause).toBeInstanceOf(TypeError);
  expect(copy.cause).toMatchObject({ name: "TypeError", message: `caused by ${MASK}`, code: "E_SECRET" });
  expect(inspect(copy, { showHidden: true, depth: null })).not.toContain(SECRET);
});

it("the errors of an AggregateError are masked", () => {
  const copy = maskError(new AggregateError([new Error(SECRET), SECRET], SECRET)) as AggregateError;
  expect(copy).toBeInstanceOf(AggregateError);
  expect(copy.errors).toEqual([new Error(MASK), MASK]);
});

it("an error of a class stays one, and prints nothing but its masked properties", () => {
  const copy = maskError(new HttpError(SECRET)) as HttpError;
  expect(copy).toBeInstanceOf(HttpError);
  expect(copy).toMatchObject({ name: "HttpError", message: MASK, headers: { authorization: `Bearer ${MASK}` } });
  for (const text of [String(copy), JSON.stringify(copy), inspect(copy, { showHidden: true })]) {
    expect(text).toContain(MASK);
    expect(text).not.toContain(SECRET);
  }
});

it("an error with a toString of its own can still be printed", () => {
  const copy = maskError(Object.assign(new Error(SECRET), { toString: () => SECRET, toJSON: () => SECRET, code: 1 }));
  expect([String(copy), JSON.stringify(copy)]).toEqual([`Error: ${MASK}`, '{"code":1}']);
});

it("a DOMException keeps its name and its message", () => {
  const copy = maskError(new DOMException(`aborted ${SECRET}`, "AbortError"));
  expect([copy.name, copy.message]).toEqual(["AbortError", `aborted ${MASK}`]);
});

it("an error from another realm becomes an Error with its name", () => {
  const copy = maskError(runInNewContext(`new RangeError("${SECRET}")`));
  expect(copy).toBeInstanceOf(Error);
  expect([copy.name, copy.message]).toEqual(["RangeError", MASK]);
});

it("an error without a stack gets none, and one that is its own cause stays that", () => {
  const error = new Error("endless");
  error.cause = error;
  delete error.stack;
  const copy = maskError(error);
  expect(copy.cause).toBe(copy);
  expect(Object.hasOwn(copy, "stack")).toBe(false);
});

it.each(["message", "stack", "cause", "name"])("a secret with the text %s does not rename the property", (secret) => {
  const error = new Error(`a ${secret}`, { cause: 1 });
  const copy = createMasker([secret]).maskValue(error) as Error;
  expect(Object.getOwnPropertyNames(copy)).toEqual(Object.getOwnPropertyNames(error));
  expect(copy).toMatchObject({ name: "Error", message: `a ${MASK}`, cause: 1 });
});

it("fetch, URL and JSON.parse say nothing in their errors", async () => {
  const failed = (run: () => unknown) =>
    Promise.resolve()
      .then(run)
      .catch((error: unknown) => error);
  const errors = await Promise.all([
    failed(() => fetch(`http://${SECRET}:${SECRET}@`)),
    failed(() => new URL(`//${SECRET}`)),
    failed(() => JSON.parse(`{"token": ${SECRET}}`)),
    failed(() => new RegExp(`(${SECRET}`)),
  ]);
  for (const error of errors) {
    expect(error).toBeInstanceOf(Error);
    expect(inspect(maskError(error), { showHidden: true, depth: null })).not.toContain(SECRET);
  }
});
