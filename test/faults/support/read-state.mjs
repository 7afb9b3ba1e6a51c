import { diagnose, openInstallation } from "../../../packages/engine/dist/index.js";

/** @import { SecretsOptions } from "../../../packages/engine/dist/index.js" */
/** @import { State } from "./model.mjs" */

/**
 * What an installation holds, read by a fresh opening: deleted secrets and all versions too.
 *
 * @param {SecretsOptions} place
 * @returns {Promise<State>}
 * @throws where anything is damaged, or the doctor finds a failure
 */
export async function readState(place) {
  const { store, encryption, secrets: service, ...rest } = await openInstallation({ ...place, create: false });
  try {
    const findings = await diagnose({ store, encryption, secrets: service, ...rest });
    const failures = findings.filter(({ status }) => status === "failure");
    if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join("; "));
    /** @type {Record<string, import("./model.mjs").Entry>} */
    const secrets = {};
    for (const { name, version, deletedAt } of await store.list({ state: "all" })) {
      const versions = [];
      for (const { metadata, envelope } of await store.history(name)) {
        const { value } = JSON.parse(await encryption.open(metadata, envelope));
        versions.push({ version: metadata.version, value });
      }
      if (versions[0]?.version !== version) throw new Error(`list and history disagree on the version of ${name}`);
      secrets[name] = { deleted: deletedAt !== null, versions };
    }
    return { backend: store.backend, secrets };
  } finally {
    await service.close();
  }
}
