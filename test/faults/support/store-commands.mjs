import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { keyed, placeOf, VALUE } from "./installation.mjs";

/** @typedef {import("../../../packages/secrets-core/dist/index.js").SecretService} SecretService */

/**
 * @typedef {object} StoreCommand
 * @property {readonly string[]} args
 * @property {(secrets: SecretService) => Promise<unknown>} call The same, in this process.
 * @property {(state: string) => string} [next] What a write makes of the state.
 * @property {(stdout: string) => boolean} [isRight] Whether a read gives what is stored.
 */

const NEW = /** @type {const} */ ({ type: "apiKey", fields: { value: "new" } });

/** What people do with a store, after `fill`. @type {readonly StoreCommand[]} */
export const STORE_COMMANDS = [
  {
    args: ["set", "A"],
    call: (secrets) => secrets.set({ name: "A", ...NEW }),
    next: (state) => state.replace("A2 [2 1] A", "A3 [3 2 1] new"),
  },
  {
    args: ["set", "NEW"],
    call: (secrets) => secrets.set({ name: "NEW", ...NEW }),
    next: (state) => `${state}, NEW1 [1] new`,
  },
  {
    args: ["delete", "B", "--force"],
    call: (secrets) => secrets.delete("B"),
    next: (state) => state.replace("B1 [1] B", "B1 [deleted] "),
  },
  {
    args: ["delete", "B", "--force", "--purge"],
    call: (secrets) => secrets.delete("B", { purge: true }),
    next: (state) => state.replace("B1 [1] B, ", ""),
  },
  {
    args: ["list"],
    call: async (secrets) => (await secrets.list()).map(({ name }) => `${name}\t`).join("\n"),
    isRight: (stdout) => /^A\t.*^B\t.*^C\t/ms.test(stdout),
  },
  {
    args: ["get", "A"],
    call: async (secrets) => (await secrets.get("A")).fields["value"],
    isRight: (stdout) => stdout === `${VALUE}A`,
  },
];

/** Does what a command does in this process. @param {string} folder @param {string} backend @param {StoreCommand} command */
export async function call(folder, backend, command) {
  const start = performance.now();
  const outcome = await answer(folder, backend, command).then(
    (stdout) => ({ status: 0, stdout, stderr: "" }),
    (/** @type {Error} */ error) => ({ status: 1, stdout: "", stderr: `error: ${error.message}` }),
  );
  return { ...outcome, seconds: (performance.now() - start) / 1000 };
}

/** @param {string} folder @param {string} backend @param {StoreCommand} command */
async function answer(folder, backend, command) {
  const { secrets } = await openSecretsManager({ storagePath: placeOf(folder), backend, env: keyed(folder) });
  try {
    return String(await command.call(secrets));
  } finally {
    await secrets.close();
  }
}
