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

/**
 * Values with parts, of which some are short: headers, URLs, connection strings, settings, JSON, XML.
 *
 * @param {number} count
 * @param {import("./create-corpus.mjs").Random} random
 * @returns {string[]}
 */
export function createStructuredValues(count, random) {
  return Array.from({ length: count }, (_, index) => {
    const [long, middle, short] = [randomText(random, 32), randomText(random, 14), randomText(random, 9)];
    switch (index % 10) {
      case 0:
        return `Bearer ${long}`;
      case 1:
        return `app${index}:${middle}`;
      case 2:
        return `https://hooks.example.test/services/${short}/${middle}?sig=${long}`;
      case 3:
        return `postgres://app:${middle}@db.example.test:5432/orders?sslmode=require`;
      case 4:
        return `Server=sql.example.test,1433;Database=inventory;User ID=sa;Password=${middle};Encrypt=True`;
      case 5:
        return `DB_HOST=localhost\nNODE_ENV=production\nDB_PASSWORD=${short.slice(0, 6)}\nAPI_TOKEN=${long}`;
      case 6:
        return JSON.stringify({ host: "localhost", username: "erin", password: short, apiKey: long });
      case 7:
        return `<server><id>central</id><username>dave</username><password>${middle}</password></server>`;
      case 8:
        return `sid=${long}; theme=dark; csrf_token=${short}`;
      default:
        return `AccountName=acme;AccountKey=${btoa(long)};EndpointSuffix=core.example.test`;
    }
  });
}
