import type { Database } from "@autokestra/sqlite";

/** Makes something once for each open database, such as the statements that every task and event needs. */
export function perDatabase<T>(create: (database: Database) => T): (database: Database) => T {
  const made = new WeakMap<Database, T>();
  return (database) => {
    const known = made.get(database) ?? create(database);
    made.set(database, known);
    return known;
  };
}
