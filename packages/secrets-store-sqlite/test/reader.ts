import { existsSync, rmSync } from "node:fs";
import { parseSecretName, type SecretMetadata } from "@autokestra/secrets-core";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { loadSqlite } from "../../sqlite/src/library.ts";
import { openSqliteStore } from "../src/index.ts";

/** Reads a store as a user whom permissions bind, which root is not, and prints what comes of it and of writing. */
const [path = "", copy = ""] = process.argv.slice(2);
// The library may lie where only root can read.
await loadSqlite();
if (process.geteuid?.() === 0) process.seteuid?.(65_534);
const text = (error: unknown) => (error instanceof Error ? error.message.replace(path, "PATH") : String(error));
const short = ({ name, version }: SecretMetadata) => `${name}${version}`;
try {
  const store = await openSqliteStore(path, { busyTimeoutMs: 100 });
  const get = (await store.get(parseSecretName("A")))?.metadata.version ?? null;
  const absent = await store.get(parseSecretName("B"));
  const list = (await store.list()).map(short);
  const history = (await store.versions(sampleId("A"))).map(({ metadata }) => short(metadata));
  const write = await putSecret(store, sampleSecret("C")).catch(text);
  const still = (await store.list()).map(short);
  rmSync(copy, { force: true });
  const backup = await store.backup(copy).then(() => existsSync(copy), text);
  await store.close();
  console.log(JSON.stringify({ get, absent, list, history, write, still, backup }));
} catch (error) {
  console.log(JSON.stringify(text(error)));
}
