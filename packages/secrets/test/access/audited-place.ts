import { join } from "node:path";
import type { SecretService } from "@autokestra/secrets-core";
import { type Database, loadSqlite } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { StoreAuditLog } from "../../src/access/audit-log.ts";
import { type AuditRecord, openSecretsManager, type SecretsManager, type SecretsOptions } from "../../src/index.ts";

export const VALUE = "canary-7f3a9c1e5b8d";

/** A folder of secrets whose audit log is on. */
export class AuditedPlace {
  readonly root: string = temporaryFolder();
  readonly options: SecretsOptions & { readonly storagePath: string } = {
    env: { HOME: join(this.root, "home") },
    storagePath: join(this.root, "secrets"),
    actor: { kind: "user", id: "alice", address: null },
    audit: true,
  };

  async use<T>(
    work: (manager: SecretsManager & { audit: StoreAuditLog }) => Promise<T>,
    more: Partial<SecretsOptions> = {},
  ): Promise<T> {
    const manager = await openSecretsManager({ ...this.options, ...more });
    try {
      const { audit } = manager;
      if (!(audit instanceof StoreAuditLog)) throw new Error("the audit log is off");
      return await work({ ...manager, audit });
    } finally {
      await manager.secrets.close();
    }
  }

  async secrets<T>(work: (secrets: SecretService) => Promise<T>, more: Partial<SecretsOptions> = {}): Promise<T> {
    return await this.use(async ({ secrets }) => await work(secrets), more);
  }

  async set(name: string): Promise<void> {
    await this.secrets(async (secrets) => await secrets.set(secret(name)));
  }

  async records(): Promise<readonly AuditRecord[]> {
    return await this.use(async ({ audit }) => await collect(audit.records()));
  }

  /** `action outcome NAME` of each record. */
  async told(): Promise<readonly string[]> {
    return (await this.records()).map(({ action, outcome, secret: about }) =>
      [action, outcome, about?.name].filter((part) => part != null).join(" "),
    );
  }

  async verify(): ReturnType<StoreAuditLog["verify"]> {
    return await this.use(async ({ audit }) => await audit.verify());
  }

  /** Changes the database as somebody without the key can. */
  async attack(change: (database: Database) => void, file = "access.db"): Promise<void> {
    const database = (await loadSqlite()).open(join(this.options.storagePath, file), { mode: "rw" });
    try {
      change(database);
    } finally {
      database.close();
    }
  }
}

export function secret(
  name: string,
  value: string = VALUE,
): { name: string; type: "apiKey"; fields: { value: string } } {
  return { name, type: "apiKey", fields: { value } };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
