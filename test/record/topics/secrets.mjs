// Secrets, from the first value to the last version.

/** @import { Recorder } from "../support/recorder.mjs" */

export const drivers = ["sqlite", "file"];

/** @param {Recorder} recorder */
export async function record(recorder) {
  await nothingYet(recorder);
  await setAndGet(recorder);
  await lists(recorder);
  await describeAndEdit(recorder);
  await versions(recorder);
  await deletion(recorder);
  recorder.part("What is on the disk now");
  recorder.files();
}

/** @param {Recorder} recorder */
async function nothingYet({ ak, part }) {
  part("Where there is no store");
  for (const line of [
    "list",
    "list --json",
    "list --quiet",
    "list --deleted",
    "get A",
    "get A --json",
    "describe A",
    "versions A",
  ]) {
    await ak(`secrets ${line}`);
  }
  await ak("secrets edit A --tag t");
  await ak("secrets rename A B");
  await ak("secrets delete A --force");
  await ak("secrets restore A");
  await ak("secrets rollback A --to 1");
  await ak("secrets backup copy");
  await ak("secrets rotate-key");
  await ak("secrets migrate --to file");
  await ak("secrets set A", { input: "" });
  await ak("secrets set A", { input: "\n" });
}

/** @param {Recorder} recorder */
async function setAndGet({ ak, part, driver, write }) {
  part("set");
  await ak(`secrets set TOKEN --storage-backend ${driver}`, { input: "token-value-1\n" });
  await ak("secrets set TOKEN", { input: "token-value-2" });
  await ak("secrets set TOKEN --json --description 'of the payment service' --tag prod --tag eu", {
    input: "token-value-3",
  });
  await ak("secrets set TOKEN --quiet", { input: "token-value-4" });
  await ak("secrets set SHOWN value-on-the-command-line");
  await ak("secrets set SHORT", { input: "ab" });
  await ak("secrets set LINES", { input: "first line\nsecond line\n" });
  await ak("secrets set SPACES", { input: " spaces around " });
  await ak("secrets set DASH -", { input: "from standard input" });
  await ak("secrets set URL", { input: "postgres://svc:Pw0-example@db.example.com:5432/main" });
  write("value.txt", "from a file, with ä\n");
  await ak("secrets set FILE --from-file value.txt");
  await ak("secrets set DB --type basicAuth --field username=ada --field password=-", { input: "pass-word-7" });
  await ak("secrets set DB --type basicAuth --field username=ada");
  await ak("secrets set DB --field nothing=x");
  await ak("secrets set BEARER --type bearerToken --field token=@value.txt --field expiresAt=2100-01-01");
  await ak("secrets set OAUTH --type oauth --field clientId=client --field clientSecret=-", {
    input: "client-secret-1",
  });
  await ak("secrets set CUSTOM --field host=example.org --field pin=- --public-field host --mask-field host", {
    input: "pin-1234",
  });
  await ak("secrets set CUSTOM --field host=example.org --field pin=- --public-field host", { input: "pin-1234" });
  await ak("secrets set TOKEN --type basicAuth", { input: "x" });
  await ak("secrets set NEW --if-version 0", { input: "new-value-1" });
  await ak("secrets set NEW --if-version 0", { input: "new-value-2" });
  await ak("secrets set NEW --if-version 7 --json", { input: "new-value-2" });
  part("get");
  for (const name of ["TOKEN", "LINES", "SPACES", "FILE", "DB", "BEARER", "CUSTOM"]) await ak(`secrets get ${name}`);
  for (const name of ["TOKEN", "DB"]) await ak(`secrets get ${name} --json`);
  await ak("secrets get DB --field password");
  await ak("secrets get DB --field pasword");
  await ak("secrets get DB --field pasword --json");
  await ak("secrets get TOKEN --at-version 1");
  await ak("secrets get TOKEN --at-version 99");
  await ak("secrets get TOKN");
  await ak("secrets get TOKN --json");
  await ak("secrets get nothing-like-it");
  await ak("secret cat TOKEN --quiet");
}

/** @param {Recorder} recorder */
async function lists({ ak, part }) {
  part("list");
  await ak("secrets list");
  await ak("secrets list --json");
  await ak("secrets ls --type basicAuth");
  await ak("secrets ls --type API_KEY --json --limit 2");
  await ak("secrets list --tag prod --tag eu");
  await ak("secrets list --prefix DA");
  await ak("secrets list --limit 2 --after DB");
  await ak("secrets list --expires-before 2100-06-01");
  await ak("secrets list --expires-before 1w");
  await ak("secrets list --tag none");
}

/** @param {Recorder} recorder */
async function describeAndEdit({ ak, part }) {
  part("describe and edit");
  for (const name of ["TOKEN", "DB", "CUSTOM"]) await ak(`secrets describe ${name}`);
  for (const name of ["TOKEN", "CUSTOM"]) await ak(`secrets describe ${name} --json`);
  await ak("secrets describe TOKN");
  await ak("secrets edit TOKEN --description 'of another service' --tag new --untag eu");
  await ak("secrets edit TOKEN --expires-at 2100-01-01 --json");
  await ak("secrets edit TOKEN --expires-at 2100-01-01");
  await ak("secrets edit TOKEN --tag x --if-revision 99");
  await ak("secrets edit TOKEN --tag x --if-revision 99 --json");
  await ak("secrets edit DB --public-field username");
  await ak("secrets edit DB --mask-field username");
  await ak("secrets edit DB --secret-field username --quiet");
  await ak("secrets edit DB --public-field user");
  await ak("secrets edit DB --expires-at 2020-01-01");
  await ak("secrets edit DB --expires-at never");
  await ak("secrets edit TOKN --tag t");
  await ak("secrets set TOKEN", { input: "token-value-5" });
  await ak("secrets set TOKEN --expires-at 2100-01-01", { input: "token-value-6" });
  await ak("secrets set TOKEN --keep-expiry", { input: "token-value-7" });
  await ak("secrets describe TOKEN --json");
}

/** @param {Recorder} recorder */
async function versions({ ak, part }) {
  part("versions, rollback and rename");
  await ak("secrets versions TOKEN");
  await ak("secrets history TOKEN --json");
  await ak("secrets versions TOKN");
  await ak("secrets rollback TOKEN --to 2");
  await ak("secrets get TOKEN");
  await ak("secrets rollback TOKEN --to 2 --json");
  await ak("secrets rollback TOKEN --to 99");
  await ak("secrets rollback TOKN --to 1");
  await ak("secrets rename SHOWN RENAMED");
  await ak("secrets mv RENAMED RENAMED_AGAIN --json");
  await ak("secrets rename RENAMED OTHER");
  await ak("secrets rename SHORT TOKEN");
  await ak("secrets rename SHORT TOKEN --json");
  await ak("secrets rename SHORT SHORT");
}

/** @param {Recorder} recorder */
async function deletion({ ak, part }) {
  part("delete and restore");
  await ak("secrets delete LINES");
  await ak("secrets delete LINES --force");
  await ak("secrets delete LINES --force");
  await ak("secrets get LINES");
  await ak("secrets describe LINES --json");
  await ak("secrets rm SPACES -y --json");
  await ak("secrets list --deleted");
  await ak("secrets list --deleted --json");
  await ak("secrets restore LINES");
  await ak("secrets restore LINES");
  await ak("secrets restore LINE");
  await ak("secrets set SPACES", { input: "another value" });
  await ak("secrets restore SPACES");
  await ak("secrets restore SPACES --json");
  await ak("secrets restore SPACES --id none");
  const { stdout } = await ak("secrets delete SPACES --force --json");
  await ak(`secrets ${stdout === "" ? "list" : "list --deleted"} --prefix SPACES --limit 1 --after-id none`);
  await ak("secrets delete SPACES --purge");
  await ak("secrets delete SPACES --purge --force");
  await ak("secrets delete DASH --purge --force --json");
  await ak("secrets delete DASH --purge --force");
  await ak("secrets restore SPACES");
  await ak("secrets list --deleted");
}
