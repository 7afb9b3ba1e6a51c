import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSecretsManager, rotateKeys } from "../../packages/secrets/dist/index.js";
import { measure } from "../measure.mjs";

const SIZES = [10, 1_000, 10_000];

/** @returns {Promise<string[][]>} A table. */
export async function measureRotation() {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
  try {
    const places = SIZES.map((size) => placeIn(join(folder, String(size))));
    for (const [index, place] of places.entries()) await fill(place, SIZES[index] ?? 0);
    const ways = places.map((place, index) => [SIZES[index], () => rotateKeys(place)]);
    const times = await measure(Object.fromEntries(ways), { rounds: 15, operations: 1 });
    const milliseconds = SIZES.map((size) => (times[size] ?? Number.NaN) / 1000);
    const rows = milliseconds.map((time, index) => {
      return [`${SIZES[index]} secrets`, time.toFixed(2), (time / (milliseconds[0] ?? Number.NaN)).toFixed(2)];
    });
    return [["", "ms", "to 10 secrets"], ...rows];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} folder */
function placeIn(folder) {
  return { env: {}, backend: "sqlite", storagePath: join(folder, "secrets"), keyFolder: join(folder, "keys") };
}

/** @param {import("../../packages/secrets/dist/index.js").SecretsOptions} place @param {number} size */
async function fill(place, size) {
  const { secrets } = await openSecretsManager(place);
  const inputs = Array.from({ length: size }, (_, index) => ({
    name: `SECRET_${index}`,
    type: /** @type {const} */ ("apiKey"),
    fields: { value: randomBytes(24).toString("base64") },
  }));
  await secrets.setAll(inputs);
  await secrets.close();
}
