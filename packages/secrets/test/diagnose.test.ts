import { chmod, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { diagnose, openSecretsManager, type SecretsOptions } from "../src/index.ts";

let root: string;
let options: SecretsOptions & { keyFile: string };

beforeEach(async () => {
  root = temporaryFolder();
  options = {
    env: { HOME: join(root, "home") },
    storagePath: join(root, "secrets"),
    keyFile: join(root, "secret.key"),
  };
  const { secrets } = await openSecretsManager(options);
  for (const name of ["A", "B", "C"])
    await secrets.set({ name, type: "apiKey", fields: { value: `value of ${name}` } });
  await secrets.close();
});

async function diagnoseLines(more: Partial<SecretsOptions> = {}): Promise<string[]> {
  const manager = await openSecretsManager({ ...options, create: false, ...more });
  try {
    return (await diagnose(manager)).map(({ status, subject, message }) => `${status} ${subject}: ${message}`);
  } finally {
    await manager.secrets.close();
  }
}

function sql(statement: string): void {
  const database = openDatabase(join(root, "secrets", "secrets.db"));
  database.exec(statement);
  database.close();
}

describe("diagnose", () => {
  it("finds a healthy installation in order", async () => {
    expect(await diagnoseLines()).toEqual([
      expect.stringMatching(/^ok store: sqlite in .*, 3 secrets$/),
      expect.stringMatching(
        /^ok store: SQLite 3\.\d+\.\d+ \((better-sqlite3|node:sqlite)\), journal_mode wal, synchronous 2, secure_delete on$/,
      ),
      expect.stringMatching(/^ok key: [0-9a-f]{16} from .*secret\.key, hkdf-sha256$/),
      expect.stringMatching(
        /^ok header: format 2, store [0-9a-f-]{36}, epoch 1; data keys: [0-9a-f]{8} active, \d+ encryptions$/,
      ),
      "ok header: The master key has been in use for 0 days, the data key for 0 days",
      "ok records: 3 secrets, 3 versions: all decrypt",
    ]);
  });

  it("needs no key where there is nothing yet", async () => {
    expect(await diagnoseLines({ storagePath: join(root, "none") })).toEqual([
      `ok store: none yet in ${join(root, "none")}`,
      "ok key: none needed yet: it is made with the first secret",
    ]);
  });

  it("tells a changed record from one under a key that is not here, and hides none behind another", async () => {
    sql(
      "UPDATE secret_versions SET type = 'bearerToken' WHERE name = 'A'; UPDATE secret_versions SET key_id = '00000000' WHERE name = 'C'",
    );
    const lines = await diagnoseLines();
    expect(lines.slice(5)).toEqual([
      "failure records: 'A' is not as it was written last: its metadata, or which version is current",
      "failure records: 'A', version 1, was changed since it was encrypted",
      "failure records: 'C', version 1, is encrypted under the data key 00000000, which is not here: the store or the record is from another time",
    ]);
  });

  it("says so where the key is wrong, missing, or open to others", async () => {
    const other = join(root, "other.key");
    await writeFile(other, `${"ab".repeat(31)}cd`, { mode: 0o600 });
    expect((await diagnoseLines({ keyFile: other })).at(-1)).toMatch(
      /^failure key: The master key from .*other\.key \([0-9a-f]{16}\)/,
    );
    expect((await diagnoseLines({ keyFile: join(root, "gone") })).at(-1)).toMatch(
      /^failure key: There are secrets here, but their master key was not found/,
    );
    await chmod(options.keyFile, 0o644);
    expect((await diagnoseLines()).at(-1)).toMatch(/^failure key: The key file .* can be read by others$/);
  });

  it("K21: has the code of an error for each failure, so that the key being unavailable is told from a bad one", async () => {
    const codes = async (more: Partial<SecretsOptions> = {}) => {
      const manager = await openSecretsManager({ ...options, create: false, ...more });
      try {
        return (await diagnose(manager)).flatMap(({ code }) => code ?? []);
      } finally {
        await manager.secrets.close();
      }
    };
    expect(await codes()).toEqual([]);
    await symlink("loop", join(root, "loop"));
    expect(await codes({ keyFile: join(root, "loop", "x") })).toEqual(["KEY_UNREADABLE"]);
    expect(await codes({ keyFile: join(root, "gone") })).toEqual(["KEY_MISSING"]);
    sql("UPDATE secret_versions SET type = 'bearerToken' WHERE name = 'A'");
    expect(await codes()).toEqual(["INTEGRITY_FAILED", "INTEGRITY_FAILED"]);
  });

  it("warns of a key in the environment", async () => {
    const place = {
      storagePath: join(root, "env"),
      env: { HOME: join(root, "home"), AUTOKESTRA_SECRET_KEY: "correct horse battery staple" },
      keyFile: undefined,
    };
    const { secrets } = await openSecretsManager({ ...options, ...place });
    await secrets.set({ name: "A", type: "apiKey", fields: { value: "v-1" } });
    await secrets.close();
    const lines = await diagnoseLines(place);
    expect(lines[2]).toMatch(/^ok key: .* from AUTOKESTRA_SECRET_KEY, pbkdf2-hmac-sha256, 600000 iterations$/);
    expect(lines[3]).toMatch(/^warning key: The key is in the environment/);
  });

  it("says so where the header was changed", async () => {
    sql("UPDATE store_header SET text = json_set(text, '$.dataKeys[0].seals', 0)");
    expect((await diagnoseLines()).at(-1)).toBe(
      "failure key: The header of the secret store was changed by someone without its key",
    );
  });

  it("says so where the store cannot be read", async () => {
    await writeFile(join(root, "secrets", "secrets.db"), "not a database");
    await expect(diagnoseLines()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });
});
