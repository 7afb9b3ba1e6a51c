import { isIdentifier } from "@autokestra/secrets-core";

/** Stands for every key of an object and every item of a list. */
export const EVERY = "*";

/** True for keys, positions in lists and `*`, with dots between them: `body.items.*.token`. */
export function isOutputPath(path: string): boolean {
  return path.split(".").every((segment) => segment === EVERY || isIdentifier(segment));
}
