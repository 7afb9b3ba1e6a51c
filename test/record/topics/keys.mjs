// Master keys: which one is tried, list, export, import, rotation.
import { chmodSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** @import { Recorder } from "../support/recorder.mjs" */

const OTHER_KEY = "00112233445566778899aabbccddeeff".repeat(2);
const PASSPHRASE = "correct horse battery staple";

/** @param {Recorder} recorder */
export async function record(recorder) {
  await givenKeys(recorder);
  await refusedKeyFiles(recorder);
  await listsAndCopies(recorder);
  await rotation(recorder);
  await otherRotations(recorder);
}

/** @param {Recorder} recorder */
async function givenKeys({ ak, part, folder, write }) {
  part("No key");
  await ak("keys list");
  await ak("keys list --json");
  await ak("keys list --quiet");
  part("The key that is given");
  await ak("secrets set A", { input: "value of A" });
  await ak("secrets set A --quiet", { input: "value 2 of A" });
  const wrong = { AUTOKESTRA_SECRET_KEY: OTHER_KEY };
  for (const line of [
    "secrets get A",
    "secrets get A --json",
    "secrets set A",
    "secrets edit A --tag t",
    "secrets rotate-key",
    "doctor",
    "doctor --json",
  ]) {
    await ak(line, { env: wrong, input: "another value" });
  }
  await ak("secrets list", { env: wrong });
  for (const text of ["deadbeef", "0123456789abcdef0123456789abcde", "too short"])
    await ak("secrets get A", { env: { AUTOKESTRA_SECRET_KEY: text } });
  await ak("secrets get A", { env: { AUTOKESTRA_SECRET_KEY: "" } });
  await ak("secrets get A", { env: { AUTOKESTRA_SECRET_KEY: PASSPHRASE } });
  write("other.key", `${OTHER_KEY}\n`);
  await ak("secrets get A --key-file other.key");
  await ak("secrets get A --key-file none.key");
  await ak("secrets get A", { env: { AUTOKESTRA_SECRET_KEY_FILE: join(folder, "none.key") } });
  await ak("secrets get A", { env: { AUTOKESTRA_SECRET_KEY_FILE: join(folder, "other.key") } });
  await ak("secrets get A", { env: { HOME: join(folder, "elsewhere") } });
  const key = readFileSync(join(folder, "home/.autokestra/secret.key"), "utf8").trim();
  write("same.key", key);
  await ak("secrets get A --key-file same.key", { env: wrong });
}

/** @param {Recorder} recorder */
async function refusedKeyFiles({ ak, part, folder, write }) {
  part("Key files that are refused");
  await ak("secrets get A --key-file .");
  write("empty.key", "");
  await ak("secrets get A --key-file empty.key");
  write("short.key", "abc");
  await ak("secrets get A --key-file short.key");
  chmodSync(join(folder, "same.key"), 0o644);
  await ak("secrets get A --key-file same.key");
  await ak("secrets get A --key-file same.key --json");
  await ak("doctor --key-file same.key");
  rmSync(join(folder, "same.key"));
}

/** @param {Recorder} recorder */
async function listsAndCopies({ ak, part, folder }) {
  part("list, export and import");
  await ak("secrets backup backup.1");
  await ak("keys list");
  const { stdout } = await ak("keys list --json");
  const [{ fingerprint }] = JSON.parse(stdout);
  await ak(`keys export ${fingerprint} --to copy.key`);
  await ak(`keys export ${fingerprint} --to copy.key`);
  await ak(`keys export ${fingerprint} --to copy-2.key --json`);
  await ak("keys export 0123456789abcdef --to copy-3.key");
  await ak("keys export 0123456789abcdef --to copy-3.key --json");
  const env = { HOME: join(folder, "elsewhere") };
  await ak("keys import copy.key", { env });
  await ak("keys import copy.key", { env });
  await ak("keys import copy.key --json", { env });
  await ak("keys list", { env });
  await ak("secrets get A", { env });
  await ak("doctor", { env });
}

/** @param {Recorder} recorder */
async function rotation({ ak, part, folder }) {
  part("rotate-key");
  await ak("secrets rotate-key");
  await ak("keys list");
  await ak("keys list --json");
  await ak("secrets get A");
  await ak("secrets rotate-key --data-key --json");
  await ak("doctor");
  await ak("secrets rotate-key --data-key --new-key-file new.key");
  await ak("secrets rotate-key --data-key --new-key-file new.key", {
    env: { AUTOKESTRA_SECRET_KEY_FILE: join(folder, "new.key") },
  });
  await ak("secrets get A --key-file new.key");
  await ak("secrets versions A --key-file new.key");
  await ak("secrets rotate-key --new-key-file new.key --key-file new.key --json");
  await ak("secrets rotate-key --new-key-file .workflow/secrets/new.key --key-file new.key");
  mkdirSync(join(folder, "open"));
  chmodSync(join(folder, "open"), 0o777);
  await ak("secrets rotate-key --new-key-file open/new.key --key-file new.key");
  await ak("secrets rotate-key --new-key-file none/new.key --key-file new.key");
  await ak("secrets rotate-key --key-file new.key --quiet");
  await ak("doctor --key-file new.key");
}

/** @param {Recorder} recorder */
async function otherRotations(recorder) {
  const { ak, part, folder } = recorder;
  part("Two stores under one key file");
  const env = { HOME: join(folder, "home-2"), AUTOKESTRA_SECRET_KEY_FILE: join(folder, "shared.key") };
  for (const project of ["one", "two"]) {
    recorder.write(`${project}/.git/HEAD`, "");
    await ak("secrets set A", { env, cwd: project, input: `value of ${project}` });
  }
  await ak("secrets rotate-key", { env, cwd: "one" });
  await ak("secrets rotate-key --json", { env, cwd: "one" });
  await ak("secrets rotate-key --all-stores", { env, cwd: "one" });
  await ak("secrets rotate-key --all-stores --json", { env, cwd: "one" });
  await ak("secrets get A", { env, cwd: "two" });
  part("A passphrase");
  const secret = { HOME: join(folder, "home-3"), AUTOKESTRA_SECRET_KEY: PASSPHRASE };
  recorder.write("three/.git/HEAD", "");
  await ak("secrets set A", { env: secret, cwd: "three", input: "value of three" });
  await ak("doctor", { env: secret, cwd: "three" });
  await ak("keys list", { env: secret, cwd: "three" });
  await ak("secrets get A", { env: { HOME: join(folder, "home-3") }, cwd: "three" });
  await ak("secrets rotate-key", { env: secret, cwd: "three" });
  await ak("secrets rotate-key --new-key-file three.key", { env: secret, cwd: "three" });
  await ak("secrets get A", { env: secret, cwd: "three" });
  recorder.files();
}
