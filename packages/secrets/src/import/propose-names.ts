import { isIdentifier } from "@autokestra/secrets-core";

const MAX_LENGTH = 255;

/**
 * Proposes a name for each one that is no secret's name: `my key!` -> `my_key`. No two proposals are equal, and none is equal to
 * a name that is good already; a number tells them apart (`my_key_2`). The same names give the same proposals again.
 *
 * @returns by the name that it is for
 */
export function proposeNames(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(names.filter(isIdentifier));
  const proposals = new Map<string, string>();
  /** Where counting goes on: thousands of names can come to the same. */
  const numbers = new Map<string, number>();
  for (const name of names) {
    if (isIdentifier(name) || proposals.has(name)) continue;
    const base = toBase(name);
    let number = numbers.get(base) ?? 1;
    while (!isFree(numbered(base, number))) number += 1;
    numbers.set(base, number);
    proposals.set(name, numbered(base, number));
    taken.add(numbered(base, number));
  }
  return proposals;

  function isFree(name: string): boolean {
    return isIdentifier(name) && !taken.has(name);
  }
}

/** Letters lose their accents; each run of what a name cannot have becomes one `_`, and none at the ends. */
function toBase(name: string): string {
  const words = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .match(/[A-Za-z0-9_-]+/g) ?? ["SECRET"];
  return words.join("_").slice(0, MAX_LENGTH);
}

function numbered(base: string, number: number): string {
  if (number === 1) return base;
  const suffix = `_${number}`;
  return base.slice(0, MAX_LENGTH - suffix.length) + suffix;
}
