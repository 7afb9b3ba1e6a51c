import { readFileSync } from "node:fs";
import { errorCode } from "@autokestra/secrets-core/internal";
import { expect, it } from "vitest";
import { systemReason } from "../src/index.ts";

function errorOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

it.each([
  ["of the system", errorOf(() => readFileSync("/nowhere/file")), "ENOENT", "no such file or directory"],
  ["of Node", errorOf(() => readFileSync("a\0b")), "ERR_INVALID_ARG_VALUE", null],
  ["without a code", new Error("ENOENT"), "", null],
  ["that is none", { code: "ENOENT", errno: -2 }, "", null],
  ["that is undefined", undefined, "", null],
])("an error %s", (_, error, code, reason) => {
  expect([errorCode(error), systemReason(error)]).toEqual([code, reason]);
});
