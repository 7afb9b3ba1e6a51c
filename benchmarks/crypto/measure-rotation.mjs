import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openInstallation, rotateKeys } from "../../packages/engine/dist/index.js";
import { measure } from "../measure.mjs";

const SIZES = [10, 1_000, 10_000];

/** @returns {Promise<string[][]>} A table. */
export async function measureRotation() {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
  const installations = [];
  try {
    for (const size of SIZES) installations.push(await createInstallation(join(folder, String(size)), size));
    const ways = installations.map((installation, index) => [SIZES[index], () => rotateKeys(installation)]);
    const times = await measure(Object.fromEntries(ways), { rounds: 15, operations: 1 });
    const milliseconds = SIZES.map((size) => (times[size] ?? Number.NaN) / 1000);
    const rows = milliseconds.map((time, index) => {
      return [`${SIZES[index]} secrets`, time.toFixed(2), (time / (milliseconds[0] ?? Number.NaN)).toFixed(2)];
    });
    return [["", "ms", "to 10 secrets"], ...rows];
  } finally {
    for (const { secrets } of installations) await secrets.close();
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} folder @param {number} size */
async function createInstallation(folder, size) {
  const installation = await openInstallation({
    env: {},
    backend: "sqlite",
    storagePath: join(folder, "secrets"),
    keyFile: join(folder, "secret.key"),
  });
  const inputs = Array.from({ length: size }, (_, index) => ({
    name: `SECRET_${index}`,
    type: /** @type {const} */ ("apiKey"),
    fields: { value: randomBytes(24).toString("base64") },
  }));
  await installation.secrets.setAll(inputs);
  return installation;
}
