import fc from "fast-check";

const FIRST_HALF = 0xd800;
const HALVES = 0x800;

/**
 * Any character, and no half of one: what fast-check calls the unit "binary". Its own makes a map of all of them first, which takes a
 * second of each worker, and the memory of it.
 */
export const anyCharacter: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff - HALVES })
  .map((index) => String.fromCodePoint(index < FIRST_HALF ? index : index + HALVES), indexOf);

function indexOf(character: unknown): number {
  if (typeof character !== "string" || !/^[^\ud800-\udfff]$/su.test(character)) throw new Error("no character");
  const point = character.codePointAt(0) ?? 0;
  return point < FIRST_HALF ? point : point - HALVES;
}
