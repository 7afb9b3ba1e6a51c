// What is imported: .env files, JSON, and the database of another program.
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { runSql } from "../support/tamper.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

/** @type {readonly (readonly [name: string, text: string])[]} */
const FILES = [
  ["good.env", "# a comment\nTOKEN=token-value-1\nexport OTHER='other value 2'\nQUOTED=\"line 1\\nline 2\"\n"],
  ["more.env", "TOKEN=token-value-1\nNEW=new-value-3\n"],
  ["changed.env", "TOKEN=token-value-9\nNEWER=newer-value-4\n"],
  ["doubtful.env", "A=top#not-a-comment\nB=first-1\nB=second-2\nC=$HOME/x\nD=a b c\n"],
  ["bad.env", "GOOD=value-1\nno equals sign\nmy.key=value-2\nEMPTY=\nOPEN='not closed\n"],
  ["none.env", ""],
  ["comments.env", "# only\n\n"],
  [
    "good.json",
    '[{"name":"ONE","value":"value-one"},{"name":"DB","type":"basicAuth","fields":{"username":"ada","password":"pass-word-7"}}]',
  ],
  ["names.json", '{"my key!":"value-1","fine":"value-2","also fine?":"value-3"}'],
  [
    "bad.json",
    '[{"name":"A","fields":{}},{"name":"B","type":"nothing","fields":{"value":"x"}},{"name":"E","type":"basicAuth","fields":{"username":"u"}}]',
  ],
  ["values.json", '{"A":1,"B":null,"C":["x"]}'],
  ["broken.json", '{"A":"value-1",\n "B":"value-2"\n "C":"x"}'],
  ["list.json", '["A"]'],
  ["empty.json", "{}"],
];

/** @param {Recorder} recorder */
export async function record({ ak, part, folder, write }) {
  for (const [name, text] of FILES) write(name, text);
  part("dotenv");
  await ak("secrets import --from dotenv --file good.env --dry-run");
  await ak("secrets import --from dotenv --file good.env --dry-run --json");
  await ak("secrets import --from dotenv --file good.env");
  await ak("secrets import --from dotenv --file good.env");
  await ak("secrets import --from dotenv --file more.env --json");
  await ak("secrets get QUOTED");
  await ak("secrets import --from dotenv --file changed.env");
  await ak("secrets import --from dotenv --file changed.env --json");
  await ak("secrets import --from dotenv --file changed.env --on-conflict skip --dry-run");
  await ak("secrets import --from dotenv --file changed.env --on-conflict skip");
  await ak("secrets import --from dotenv --file changed.env --on-conflict overwrite");
  await ak("secrets versions TOKEN");
  for (const file of ["doubtful.env", "bad.env", "none.env", "comments.env"]) {
    await ak(`secrets import --from dotenv --file ${file}`);
    await ak(`secrets import --from dotenv --file ${file} --json`);
  }
  await ak("secrets import --from dotenv --file bad.env --skip-empty --rename");
  await ak("secrets import --from dotenv --file -", { input: "FROM_STDIN=value-5\n" });
  await ak("secrets import --from dotenv --file - --quiet", { input: "FROM_STDIN=value-5\n" });
  await ak("secrets import --from dotenv --file .");
  part("json");
  await ak("secrets import --from json --file good.json");
  await ak("secrets describe DB --json");
  await ak("secrets import --from json --file names.json");
  await ak("secrets import --from json --file names.json --json");
  await ak("secrets import --from json --file names.json --rename --dry-run");
  await ak("secrets import --from json --file names.json --rename");
  for (const file of ["bad.json", "values.json", "broken.json", "list.json", "empty.json", "good.env", "none.json"]) {
    await ak(`secrets import --from json --file ${file}`);
    await ak(`secrets import --from json --file ${file} --json`);
  }
  part("fernet-sqlite");
  write("fernet.key", "not a Fernet key\n");
  await ak("secrets import --from fernet-sqlite --file none.db --fernet-key fernet.key");
  await ak("secrets import --from fernet-sqlite --file good.json --fernet-key fernet.key");
  await ak("secrets import --from fernet-sqlite --file good.json --fernet-key none.key");
  const key = randomBytes(32);
  write("good.key", `${key.toString("base64url")}=\n`);
  runSql(
    join(folder, "fernet.db"),
    `CREATE TABLE secrets (id INTEGER PRIMARY KEY, name VARCHAR(255) UNIQUE, description TEXT, encrypted_value TEXT, created_at DATETIME,
       updated_at DATETIME);
     INSERT INTO secrets VALUES (1, 'FERNET', 'of the program before', '${encryptFernet(key, "value-6")}', '2020-01-31 12:00:00', NULL);`,
  );
  const line = "secrets import --from fernet-sqlite --file fernet.db --fernet-key";
  write("other.key", `${randomBytes(32).toString("base64url")}=\n`);
  await ak(`${line} other.key`);
  await ak(`${line} good.key --dry-run`);
  await ak(`${line} good.key`);
  await ak(`${line} good.key --json`);
  await ak("secrets describe FERNET --json");
  await ak("secrets list");
}

/** See https://github.com/fernet/spec. @param {Buffer} key @param {string} text */
function encryptFernet(key, text) {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-128-cbc", key.subarray(16), iv);
  const time = Buffer.alloc(9);
  time.writeUInt8(0x80);
  const body = Buffer.concat([time, iv, cipher.update(text), cipher.final()]);
  const mac = createHmac("sha256", key.subarray(0, 16)).update(body).digest();
  return Buffer.concat([body, mac]).toString("base64url");
}
