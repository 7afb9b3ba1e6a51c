// Backups and migrations.
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @import { Recorder } from "../support/recorder.mjs" */

export const drivers = ["sqlite", "file"];

/** @param {Recorder} recorder */
export async function record(recorder) {
  const { ak, part, driver, write } = recorder;
  await ak(`secrets set A --storage-backend ${driver} --description 'what it is for' --tag t --expires-at 2100-01-01`, {
    input: "value 1 of A",
  });
  await ak("secrets set A --quiet", { input: "value 2 of A" });
  await ak("secrets set B --quiet", { input: "value of B" });
  await ak("secrets delete B --force --quiet");
  await backups(recorder);
  await migrations(recorder);
  part("Backups that are none");
  write("text.backup", "not a backup at all\n");
  write("empty.backup", "");
  for (const file of ["none", "text.backup", "empty.backup", "."]) await ak(`secrets restore-backup ${file}`);
  await ak("secrets restore-backup text.backup --json");
  await damagedBackups(recorder);
  recorder.files();
}

/** @param {Recorder} recorder */
async function backups({ ak, part, folder }) {
  part("backup and restore-backup");
  await ak("secrets backup first.backup");
  await ak("secrets backup first.backup");
  await ak("secrets backup second.backup --json");
  await ak("secrets backup none/third.backup");
  await ak("secrets backup .");
  await ak("secrets set A --quiet", { input: "value 3 of A" });
  await ak("secrets restore-backup first.backup");
  await ak("secrets get A");
  await ak("secrets list --deleted");
  await ak("secrets restore-backup second.backup --json");
  await ak("secrets restore-backup second.backup --quiet");
  part("Where the store is gone");
  for (const name of ["secrets.db", "secrets.json"]) rmSync(join(folder, ".workflow/secrets", name), { force: true });
  for (const line of [
    "secrets list",
    "secrets get A",
    "secrets set C",
    "doctor",
    "doctor --json",
    "secrets backup x",
  ]) {
    await ak(line, { input: "value of C" });
  }
  await ak("secrets restore-backup first.backup");
  await ak("secrets get A");
  rmSync(join(folder, ".workflow"), { recursive: true });
  await ak("secrets get A");
  await ak("secrets restore-backup first.backup --json");
  await ak("doctor");
}

/** @param {Recorder} recorder */
async function migrations({ ak, part, driver }) {
  const other = driver === "sqlite" ? "file" : "sqlite";
  part("migrate");
  await ak(`secrets migrate --to ${driver}`);
  await ak(`secrets migrate --to ${driver} --json`);
  await ak(`secrets migrate --to ${other}`);
  await ak(`secrets list --storage-backend ${driver}`);
  await ak("secrets list", { env: { WORKFLOW_SECRETS_STORAGE_BACKEND: driver } });
  await ak("secrets get A");
  await ak("secrets versions A");
  await ak("secrets list --deleted");
  await ak("doctor");
  await ak("secrets backup other.backup");
  await ak(`secrets migrate --to ${driver} --json`);
  await ak("secrets restore-backup other.backup");
  await ak("doctor --json");
}

/** @param {Recorder} recorder */
async function damagedBackups({ ak, part, folder, driver }) {
  part("A backup of another key");
  const env = { HOME: join(folder, "elsewhere") };
  await ak("secrets restore-backup first.backup", { env });
  await ak("secrets restore-backup first.backup --storage-path elsewhere/secrets", { env });
  copyFileSync(join(folder, "first.backup"), join(folder, "cut.backup"));
  writeFileSync(join(folder, "cut.backup"), "x", { flag: "r+" });
  await ak("secrets restore-backup cut.backup");
  await ak(`secrets restore-backup first.backup --storage-path ${driver}/secrets --storage-backend ${driver}`);
  await ak(`secrets get A --storage-path ${driver}/secrets`);
}
