import { AutokestraError, type SealedSecret } from "@autokestra/secrets-core";
import { KEY_VARIABLE, type Keyring } from "@autokestra/secrets-crypto";
import type { Installation } from "./installation.ts";

/** One line of a diagnosis. */
export interface Finding {
  readonly status: "ok" | "warning" | "failure";
  readonly subject: "store" | "key" | "header" | "records";
  readonly message: string;
  /** What mends it. */
  readonly hint: string | null;
}

/**
 * Examines an installation: store, key, header, and whether every record opens. What is broken becomes a line, and hides
 * nothing else.
 *
 * @param onProgress told how many records were tried
 */
export async function diagnose(
  installation: Installation,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<readonly Finding[]> {
  const { store, folder, keys } = installation;
  const names = await attempt("store", async () => (await store.list()).map(({ name }) => name));
  if ("status" in names) return [names];
  const place =
    store.backend === "memory"
      ? `none yet in ${folder}`
      : `${store.backend} in ${folder}, ${names.value.length} secrets`;
  const findings: Finding[] = [ok("store", place)];
  if ((await store.readHeader()) === null && names.value.length === 0) {
    return [...findings, ok("key", "none needed yet: it is made with the first secret")];
  }
  const keyring = await attempt("key", async () => await keys.current());
  if ("status" in keyring) return [...findings, keyring];
  const broken: string[] = [];
  for (const [index, name] of names.value.entries()) {
    const problem = await examine(installation, keyring.value, name);
    if (problem !== null) broken.push(problem);
    onProgress(index + 1, names.value.length);
  }
  return [...findings, ...describeKeys(keyring.value), ...describeRecords(names.value.length, broken)];
}

async function attempt<T>(subject: Finding["subject"], work: () => Promise<T>): Promise<{ value: T } | Finding> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    return { status: "failure", subject, message: error.message, hint: error.hint ?? null };
  }
}

/** What is wrong with a record, or null. Here, and only here, a missing key and a changed record are told apart. */
async function examine(
  { store, encryption }: Installation,
  keyring: Keyring,
  name: SealedSecret["metadata"]["name"],
): Promise<string | null> {
  const sealed = await attempt("records", async () => await store.get(name));
  if ("status" in sealed) return sealed.message;
  if (sealed.value === null) return null;
  const { metadata, envelope } = sealed.value;
  if (keyring.find(envelope.keyId) === null) {
    return `'${name}' is sealed under the data key ${envelope.keyId}, which is not here: the store or the record is from another time`;
  }
  const opened = await attempt("records", async () => await encryption.open(metadata, envelope));
  return "status" in opened ? `'${name}' was changed since it was sealed` : null;
}

function describeKeys({ header, source, fingerprint }: Keyring): Finding[] {
  const { kdf, dataKeys, storeId } = header;
  const stretched = kdf.name === "pbkdf2-hmac-sha256" ? `${kdf.name}, ${kdf.iterations} iterations` : kdf.name;
  const states = dataKeys.map(({ id, state, seals }) => `${id} ${state}, ${seals} seals`).join("; ");
  const variable: Finding = {
    status: "warning",
    subject: "key",
    message: `The key is in the environment: ${KEY_VARIABLE} can be read in /proc by this user and root`,
    hint: "A key file is the better place: --key-file.",
  };
  return [
    ok("key", `${fingerprint} from ${source}, ${stretched}`),
    ...(source === KEY_VARIABLE ? [variable] : []),
    ok("header", `format ${header.format}, store ${storeId}; data keys: ${states}`),
  ];
}

function describeRecords(total: number, broken: readonly string[]): Finding[] {
  if (broken.length === 0) return [ok("records", `all ${total} open`)];
  const hint = "Set it again, or restore it from a backup.";
  return broken.map((message) => ({ status: "failure", subject: "records", message, hint }));
}

function ok(subject: Finding["subject"], message: string): Finding {
  return { status: "ok", subject, message, hint: null };
}
