import { pick, randomText } from "./create-corpus.mjs";

const HEX = "0123456789abcdef";

/**
 * Secrets as programs have them: tokens with the prefixes of their issuers, passwords, hexadecimal keys, URLs with a password.
 *
 * @param {number} count
 * @param {import("./create-corpus.mjs").Random} random
 * @returns {string[]}
 */
export function createValues(count, random) {
  return Array.from({ length: count }, (_, index) => {
    switch (index % 5) {
      case 0:
        return `ghp_${randomText(random, 36)}`;
      case 1:
        return `sk_live_${randomText(random, 24)}`;
      case 2:
        return randomText(
          random,
          20 + Math.floor(random() * 12),
          "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789!%+/=-",
        );
      case 3:
        return randomText(random, pick(random, ["a", "b"]) === "a" ? 40 : 64, HEX);
      default:
        return `postgres://app:${randomText(random, 18)}@db.example:5432/app`;
    }
  });
}
