// P11: the raw image of a file system on which secrets were set, changed, deleted, purged and migrated holds no value, in any
// form. P12: of a purged secret no file holds the ciphertext either.

import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { canMount, withDiskImage } from "./support/disk-image.mjs";
import { countBytes, countCanary } from "./support/find-canary.mjs";
import { HAS_OWN_MOUNTS, runWithOwnMounts } from "./support/own-mounts.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, environment, everythingIn, inFolder } from "./support/sandbox.mjs";

const canary = `canary-${randomBytes(24).toString("hex")}`;

/** @param {string} folder @param {readonly string[]} args @param {string} [input] */
function must(folder, args, input) {
  const { status, stderr } = ak(folder, args, input === undefined ? {} : { input });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
}

/** The ciphertexts of all versions of the secrets with such names. @param {string} folder @param {string} prefix */
async function ciphertextsOf(folder, prefix) {
  const place = { storagePath: join(folder, ".workflow/secrets"), env: environment(folder), create: false };
  const { store, secrets } = await openSecretsManager(place);
  const found = [];
  for (const { id } of await store.list({ prefix })) found.push(...(await store.versions(id)));
  await secrets.close();
  return found.map(({ envelope }) => Buffer.from(envelope.ciphertext));
}

/** As SQLite and as JSON have them. @param {Buffer} bytes @param {readonly Buffer[]} ciphertexts */
function countCiphertexts(bytes, ciphertexts) {
  const forms = ciphertexts.flatMap((one) => [one, Buffer.from(one.toString("base64"))]);
  return forms.reduce((sum, form) => sum + countBytes(bytes, form), 0);
}

/** @param {string} folder @param {readonly Buffer[]} ciphertexts */
function countInFiles(folder, ciphertexts) {
  const files = everythingIn(folder).filter((path) => lstatSync(path).isFile());
  return files.reduce((sum, path) => sum + countCiphertexts(readFileSync(path), ciphertexts), 0);
}

/** @param {string} folder @param {string} backend */
async function session(folder, backend) {
  must(folder, ["secrets", "set", "A", "--storage-backend", backend], `${canary} one`);
  must(folder, ["secrets", "set", "A"], `${canary} two`);
  must(folder, ["secrets", "rollback", "A", "--to", "1"]);
  must(folder, ["secrets", "set", "B"], `${canary} three`.repeat(20));
  must(folder, ["secrets", "set", "B"], `${canary} four`.repeat(20));
  must(folder, ["secrets", "set", "C"], `${canary} five`);
  must(folder, ["secrets", "delete", "C", "--force"]);
  const purged = await ciphertextsOf(folder, "B");
  const before = countInFiles(folder, purged);
  must(folder, ["secrets", "delete", "B", "--force", "--purge"]);
  const after = countInFiles(folder, purged);
  must(folder, ["secrets", "migrate", "--to", backend === "sqlite" ? "file" : "sqlite"]);
  must(folder, ["secrets", "migrate", "--to", backend]);
  return { purged, before, after };
}

/** The search proves itself: it finds what is planted in a file. @param {string} root */
async function planted(root) {
  const { image } = await withDiskImage(root, "planted", (folder) => {
    writeFileSync(join(folder, "file"), `${"x".repeat(10_000)}${Buffer.from(canary).toString("base64")}`);
  });
  return countCanary(readFileSync(image), canary);
}

async function rows() {
  return await inFolder(async (root) => {
    if (!HAS_OWN_MOUNTS || !(await canMount(root))) {
      return ["P11", "P12"].map((id) => ({ id, figure: "not run", missing: "mke2fs, mount and unshare as root" }));
    }
    const found = await planted(root);
    const parts = [];
    for (const backend of ["sqlite", "file"]) {
      const { image, result } = await withDiskImage(root, backend, async (folder) => await session(folder, backend));
      const raw = readFileSync(image);
      parts.push({
        backend,
        ...result,
        values: countCanary(raw, canary),
        inImage: countCiphertexts(raw, result.purged),
      });
    }
    const values = parts.map(({ backend, values: count }) => `${backend}: ${count}`).join(", ");
    const old = parts.map(({ backend, before, after, inImage }) => {
      return `${backend}: ${before} before, ${after} after (${inImage} in freed blocks of the raw image)`;
    });
    return [
      {
        id: "P11",
        pass: found > 0 && parts.every((part) => part.values === 0),
        figure: `values in the raw image: ${values}; the planted one is found`,
      },
      {
        id: "P12",
        pass: parts.every(({ before, after }) => before > 0 && after === 0),
        figure: `ciphertexts of a purged secret in files: ${old.join("; ")}`,
      },
    ];
  });
}

if (!runWithOwnMounts()) printRows([await inRound("P11, P12", rows)]);
