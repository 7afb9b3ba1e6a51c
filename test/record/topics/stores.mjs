// Stores that are damaged, too new, old, read-only, elsewhere; and what doctor says of them.
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { editJson, runSql, storeFile } from "../support/tamper.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

export const drivers = ["sqlite", "file"];

/** Of the store that version 1 has left. */
const OLD_KEY = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("hex");

/** The store, and the home with its keys. */
const KEPT = [".workflow", "home"];
const COPY = { recursive: true, preserveTimestamps: true };

/** @param {Recorder} recorder */
export async function record(recorder) {
  const { ak, part, folder, driver } = recorder;
  part("Without a store");
  await ak("doctor");
  await ak("doctor --json");
  await ak("doctor --storage-path elsewhere");
  part("A store that is well");
  await ak(`secrets set A --storage-backend ${driver}`, { input: "value 1 of A" });
  await ak("secrets set A --quiet", { input: "value 2 of A" });
  await ak("secrets set B --quiet", { input: "value of B" });
  await ak("doctor");
  await ak("doctor --json");
  for (const name of KEPT) cpSync(join(folder, name), join(folder, "kept", name), COPY);
  await places(recorder);
  await findings(recorder);
  await damage(recorder);
  await readOnly(recorder);
  await versions(recorder);
}

/** Puts store and keys back as they were. @param {string} folder @param {readonly string[]} [names] */
function reset(folder, names = KEPT) {
  for (const name of names) {
    rmSync(join(folder, name), { recursive: true });
    cpSync(join(folder, "kept", name), join(folder, name), COPY);
  }
}

/** @param {Recorder} recorder */
async function places({ ak, part, folder, driver, write }) {
  part("Where the store is");
  const other = driver === "sqlite" ? "file" : "sqlite";
  write("below/here/note.txt", "");
  await ak("secrets get A", { cwd: "below/here" });
  await ak("secrets list --storage-path .workflow/secrets");
  await ak("secrets list --storage-path below");
  await ak("secrets get A --storage-path below");
  await ak("secrets list --storage-path below/here/note.txt");
  await ak("secrets list --storage-path below/here/note.txt --json");
  await ak("secrets set A --storage-path below/here/note.txt", { input: "value" });
  await ak("secrets list", { env: { WORKFLOW_SECRETS_STORAGE_PATH: "below" } });
  await ak("secrets list", { env: { WORKFLOW_SECRETS_STORAGE_BACKEND: "postgres" } });
  await ak("secrets list", { env: { WORKFLOW_SECRETS_STORAGE_BACKEND: other } });
  await ak(`secrets set C --storage-backend ${other}`, { input: "value of C" });
  await ak("secrets set A", { env: { WORKFLOW_SECRETS_KEEP_VERSIONS: "1" }, input: "value 3 of A" });
  await ak("secrets versions A");
  await ak("secrets list", { env: { WORKFLOW_SECRETS_KEEP_VERSIONS: "none" } });
  await ak("secrets list --no-color --json", { env: { HOME: "" } });
  reset(folder);
}

/** @param {Recorder} recorder */
async function findings({ ak, part, folder, driver, write }) {
  part("What doctor warns of");
  const store = storeFile(folder, driver);
  copyFileSync(store, store.replace(/secrets\.(?=\w+$)/, "secrets (conflicted copy)."));
  write(`.workflow/secrets/secrets.${driver === "sqlite" ? "json" : "db"}`, "");
  await ak("doctor");
  reset(folder);
  write("home/.autokestra/stores.json", "{");
  await ak("doctor");
  await ak("secrets get A");
  await ak("doctor");
  reset(folder);
  cpSync(join(folder, ".workflow"), join(folder, "copy", ".workflow"), { recursive: true });
  await ak("secrets get A --storage-path copy/.workflow/secrets");
  await ak("doctor");
  chmodSync(join(folder, ".workflow/secrets"), 0o755);
  chmodSync(store, 0o644);
  await ak("doctor");
  await ak("secrets get A");
  reset(folder);
}

/** @param {Recorder} recorder */
async function damage({ ak, part, folder, driver }) {
  const store = storeFile(folder, driver);
  const looks = [
    "secrets list",
    "secrets get A",
    "secrets get B --json",
    "secrets set A",
    "doctor",
    "doctor --json",
    "secrets rotate-key",
    "secrets backup x",
  ];
  part("A record that was changed");
  if (driver === "sqlite") runSql(store, "UPDATE secret_versions SET version = 7 WHERE version = 2");
  else editJson(store, ({ secrets }) => Object.assign(secrets[0], { version: 7 }));
  for (const line of looks) await ak(line, { input: "value 4 of A" });
  reset(folder);
  part("A store that is no store");
  writeFileSync(store, "not what it was\n".repeat(300));
  for (const line of looks) await ak(line, { input: "value 4 of A" });
  reset(folder);
  part("An empty file");
  writeFileSync(store, "");
  for (const line of looks.slice(1, 5)) await ak(line, { input: "value 4 of A" });
  reset(folder);
  part("A header that was changed");
  if (driver === "sqlite") runSql(store, `UPDATE store_header SET text = replace(text, '"epoch":1', '"epoch":2')`);
  else
    editJson(store, (document) =>
      Object.assign(document, { header: document.header.replace('"epoch":1', '"epoch":2') }),
    );
  for (const line of looks) await ak(line, { input: "value 4 of A" });
  reset(folder);
  part("A folder where the store was");
  rmSync(store);
  mkdirSync(store);
  for (const line of looks.slice(1, 5)) await ak(line, { input: "value 4 of A" });
  reset(folder);
}

/** @param {Recorder} recorder */
async function readOnly({ ak, part, folder, driver }) {
  part("A folder that can only be read");
  const place = join(folder, ".workflow/secrets");
  chmodSync(storeFile(folder, driver), 0o400);
  chmodSync(place, 0o500);
  const lines = [
    "secrets list",
    "secrets get A",
    "secrets set A",
    "secrets delete A --force --json",
    "secrets rotate-key",
    "doctor",
  ];
  for (const line of lines) await ak(line, { restricted: true, input: "value 4 of A" });
  chmodSync(place, 0o700);
  reset(folder);
  part("A folder that cannot be entered");
  chmodSync(place, 0);
  for (const line of ["secrets list", "secrets get A --json", "doctor"]) await ak(line, { restricted: true });
  chmodSync(place, 0o700);
  reset(folder);
}

/** @param {Recorder} recorder */
async function versions({ ak, part, folder, driver, write }) {
  const store = storeFile(folder, driver);
  part("A store of a later version");
  if (driver === "sqlite") runSql(store, "PRAGMA user_version = 99");
  else editJson(store, (document) => Object.assign(document, { format: 99 }));
  for (const line of ["secrets list", "secrets get A --json", "doctor"]) await ak(line);
  reset(folder);
  part("A store from before a rotation");
  await ak("secrets rotate-key --quiet");
  reset(folder, [".workflow"]);
  for (const line of ["secrets list", "secrets get A", "secrets get A --json", "secrets set A", "doctor"])
    await ak(line, { input: "value 4 of A" });
  part("A store of version 1");
  const name = driver === "sqlite" ? "secrets.db" : "secrets.json";
  const env = { AUTOKESTRA_SECRET_KEY: OLD_KEY, HOME: join(folder, "home-of-old") };
  const fixture = resolve(`packages/secrets-store-${driver}/test/fixtures/v1/${name}`);
  write("old/.git/HEAD", "");
  mkdirSync(join(folder, "old/.workflow/secrets"), { recursive: true, mode: 0o700 });
  copyFileSync(fixture, join(folder, "old/.workflow/secrets", name));
  chmodSync(join(folder, "old/.workflow/secrets", name), 0o600);
  const lines = [
    "doctor",
    "secrets list",
    "secrets get DB_LOGIN",
    "secrets versions API_KEY",
    "secrets set API_KEY",
    "secrets versions API_KEY",
    "doctor",
  ];
  for (const line of lines) await ak(line, { env, cwd: "old", input: "key-four" });
}
