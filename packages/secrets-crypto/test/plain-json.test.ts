import type { z } from "@autokestra/secrets-core/internal";
import { assert, constantFrom, integer, jsonValue, nat, oneof, property, string } from "fast-check";
import { expect, it } from "vitest";
import { headerSchema, isPlainHeader } from "../src/header.ts";
import { isPlainContent, knownStoresSchema } from "../src/key-source/known-stores.ts";
import { createTwoUsed } from "./two-processes.ts";

const SALT = Buffer.alloc(16, 7).toString("base64");
const STORE = {
  path: "/p",
  storeId: "1b671a64-40d5-491e-99b0-da01ff1f3341",
  epoch: 1,
  fingerprint: "1f2e3d4c5b6a7988",
  left: ["0123456789abcdef"],
  openedAt: "2026-11-29T12:00:00.000Z",
};
const KNOWN = {
  stores: [STORE],
  backups: [{ path: "/b", fingerprint: STORE.fingerprint, madeAt: STORE.openedAt }],
};

async function header(): Promise<unknown> {
  const { store } = await createTwoUsed();
  return JSON.parse((await store.readHeader()) ?? "null");
}

/** Near what is right, on both sides. */
const value = oneof(
  constantFrom<unknown>(
    null,
    undefined,
    true,
    [],
    {},
    "active",
    "destroyed",
    "hkdf-sha256",
    SALT,
    SALT.slice(1),
    `${SALT}\n`,
  ),
  constantFrom<unknown>(
    "1b671a64",
    STORE.storeId.toUpperCase(),
    "00000000-0000-0000-0000-000000000000",
    "0123456789ABCDEF",
  ),
  constantFrom<unknown>(
    "2026-02-29T00:00:00.000Z",
    "2026-01-01T00:00:00Z",
    "2028-02-29T23:59:59.999Z",
    0,
    -0,
    1,
    2,
    3,
    2 ** 53,
  ),
  constantFrom<unknown>([["x", false, "y"]], { name: "hkdf-sha256", salt: SALT }, [STORE, STORE]),
  constantFrom<unknown>({ name: "pbkdf2-hmac-sha256", salt: SALT, passphraseSalt: SALT, iterations: 600_000 }),
  constantFrom<unknown>({ name: "pbkdf2-hmac-sha256", salt: SALT, passphraseSalt: SALT, iterations: 1 }),
  integer(),
  string(),
  jsonValue(),
);

/** The paths to everything in a document. */
function pathsIn(json: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof json !== "object" || json === null) return [path];
  return [path, ...Object.entries(json).flatMap(([key, child]) => pathsIn(child, [...path, key]))];
}

/** A copy with another value at a path, or without what is there. */
function changed(json: unknown, [key, ...rest]: readonly string[], other: unknown): unknown {
  if (key === undefined) return other;
  const copy: Record<string, unknown> = Array.isArray(json) ? Object.assign([], json) : { ...Object(json) };
  if (rest.length === 0 && other === undefined) delete copy[key];
  else copy[key] = changed(copy[key], rest, other);
  return copy;
}

it.each<[string, () => Promise<unknown>, (json: unknown) => boolean, z.ZodType]>([
  ["headers", header, isPlainHeader, headerSchema],
  ["known stores", async () => await Promise.resolve(KNOWN), isPlainContent, knownStoresSchema],
])("takes for plain no %s that the schema refuses or changes", async (_, make, isPlain, schema) => {
  const json = await make();
  const paths = pathsIn(json);
  expect(isPlain(json)).toBe(true);
  assert(
    property(nat(), constantFrom("", "more"), value, (index, extra, other) => {
      const path = paths[index % paths.length] ?? [];
      const near: unknown = JSON.parse(
        JSON.stringify(changed(json, extra === "" ? path : [...path, extra], other)) ?? "null",
      );
      if (!isPlain(near)) return;
      expect(schema.safeParse(near)).toEqual({ success: true, data: near });
    }),
    { numRuns: 3000 },
  );
});
