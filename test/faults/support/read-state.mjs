import { diagnose, openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { parsePayload } from "../../../packages/secrets-core/dist/internal.js";

/** @import { SecretsManager, SecretsOptions } from "../../../packages/secrets/dist/index.js" */
/** @import { Entry, State } from "./model.mjs" */

/**
 * What a manager holds, read by a fresh opening: deleted secrets and all versions too.
 *
 * @param {SecretsOptions} place
 * @returns {Promise<State>}
 * @throws where anything is damaged, or the doctor finds a failure
 */
export async function readState(place) {
  const manager = await openSecretsManager({ ...place, create: false });
  try {
    const findings = await diagnose(manager);
    const failures = findings.filter(({ status }) => status === "failure");
    if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join("; "));
    const ids = await manager.store.ids();
    const secrets = [];
    for (const id of ids) secrets.push(await readEntry(manager, id));
    const listed = (await manager.store.list({ state: "all" })).map(({ id }) => id).toSorted();
    if (listed.join() !== ids.join()) throw new Error("list and ids disagree");
    return { backend: manager.store.driver, secrets };
  } finally {
    await manager.secrets.close();
  }
}

/** @param {SecretsManager} manager @param {string} id @returns {Promise<Entry>} */
async function readEntry({ store, encryption }, id) {
  const current = await store.find(id);
  if (current === null) throw new Error(`there is an id without a secret: ${id}`);
  await encryption.verify(current);
  const { name, tags, deletedAt, description, expiresAt, version: newest } = current.metadata;
  const versions = [];
  for (const { metadata, envelope } of await store.versions(id)) {
    const { fields } = parsePayload(name, envelope.format, await encryption.decrypt(metadata, envelope));
    versions.push({ version: metadata.version, value: String(fields["value"]) });
  }
  if (versions[0]?.version !== newest) throw new Error(`find and history disagree on the version of ${name}`);
  const when = deletedAt === null ? null : Date.parse(deletedAt);
  return { label: tags.join(), name, deletedAt: when, description, expiresAt, versions };
}
