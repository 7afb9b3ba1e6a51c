import { fstatSync, lstatSync } from "node:fs";

/**
 * Tells whether two looks have seen the same file. That of an open file is safe from being given to another; that of a path
 * is its own where it is a link.
 *
 * @param place a path or a descriptor
 * @returns null where there is no such file
 */
export function fileIdentity(place: string | number): string | null {
  // Numbers would round what some file systems count beyond 2^53.
  const options = { bigint: true } as const;
  const stat =
    typeof place === "number" ? fstatSync(place, options) : lstatSync(place, { ...options, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}
