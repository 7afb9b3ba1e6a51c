// C6: envelopes that no cipher has made, in both stores. The secret is refused with an error, and hides no other.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fill, placeOf, run } from "./support/installation.mjs";
import { openDatabase } from "./support/open-database.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { call, STORE_COMMANDS } from "./support/store-commands.mjs";

/** @typedef {{ format: unknown, keyId: unknown, nonce: unknown, tag: unknown, ciphertext: unknown }} Envelope */

/** @param {number} length */
const bytes = (length) => Buffer.alloc(length, 7);

/** What becomes of an envelope. @type {readonly Partial<Envelope>[]} */
const DAMAGES = [
  ...[0, 11, 13, 1000].map((length) => ({ nonce: bytes(length) })),
  ...[0, 15, 17, 1000].map((length) => ({ tag: bytes(length) })),
  ...[0, 1, 15, 16, 10_000].map((length) => ({ ciphertext: bytes(length) })),
  ...[0, 1, 255, 2 ** 31].map((format) => ({ format })),
  ...["", "zzzzzzzz", "00000000", "0".repeat(100)].map((keyId) => ({ keyId })),
];

/** What only JSON can hold. @type {readonly Partial<Envelope>[]} */
const DAMAGES_OF_JSON = [
  ...["####", "AA", "AA==AA", "_-_-", "AAAA\n", "", 7, null, [1, 2], {}, true].map((ciphertext) => ({ ciphertext })),
  ...["1", null, -1, 1.5, {}].map((format) => ({ format })),
  { keyId: null },
  { nonce: undefined },
];

/** @param {string} folder @param {Partial<Envelope>} damage */
function damageFile(folder, damage) {
  const path = join(placeOf(folder), "secrets.json");
  const document = JSON.parse(readFileSync(path, "utf8"));
  const texts = Object.entries(damage).map(([key, value]) => [
    key,
    Buffer.isBuffer(value) ? value.toString("base64") : value,
  ]);
  Object.assign(document.secrets[0].envelope, Object.fromEntries(texts));
  writeFileSync(path, JSON.stringify(document));
}

/** @param {string} folder @param {Partial<Envelope>} damage */
function damageDatabase(folder, damage) {
  const database = openDatabase(join(placeOf(folder), "secrets.db"));
  for (const [key, value] of Object.entries(damage)) {
    const column = key === "keyId" ? "key_id" : key;
    database.prepare(`UPDATE secret_versions SET ${column} = ? WHERE name = 'A' AND is_current = 1`).run(value);
  }
  database.close();
}

/** @param {string} folder @param {string} backend @returns {Promise<string | null>} What is wrong. */
async function look(folder, backend) {
  const { status, stdout, stderr } = await run(folder, ["secrets", "get", "A"]);
  const isClear = /^error: Secret 'A' /m.test(stderr) && !/\n\s+at |Internal/.test(stderr);
  if (stdout !== "" || (status !== 1 && status !== 4) || !isClear) return `get A: exit ${status}: ${stdout}${stderr}`;
  for (const command of STORE_COMMANDS.filter(({ args }) => args[0] === "list" || args[1] === "NEW")) {
    const outcome = await call(folder, backend, command);
    if (outcome.status !== 0 || command.isRight?.(outcome.stdout) === false)
      return `${command.args[0]}: ${outcome.stderr}`;
  }
  return null;
}

let looked = 0;
const problems = [];
for (const [backend, damages] of /** @type {const} */ ([
  ["sqlite", DAMAGES],
  ["file", [...DAMAGES, ...DAMAGES_OF_JSON]],
])) {
  for (const damage of damages) {
    await inRound(`${backend}, ${JSON.stringify(damage).slice(0, 100)}`, async () => {
      await inFolder(async (folder) => {
        await fill(folder, backend);
        (backend === "sqlite" ? damageDatabase : damageFile)(folder, damage);
        const problem = await look(folder, backend);
        looked += 1;
        if (problem !== null) problems.push(`${backend}, ${Object.keys(damage).join()}: ${problem}`);
      });
    });
  }
}
for (const problem of problems) console.log(problem);
const figure = `${looked} malformed envelopes: ${problems.length} opened, crashed or hid others`;
printRows([{ id: "C6", figure, pass: looked > 0 && problems.length === 0 }]);
