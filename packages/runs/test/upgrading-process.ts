import { once } from "node:events";
import { writeSync } from "node:fs";
import type { Database } from "@autokestra/sqlite";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory } from "../src/index.ts";
import { upgradeSchema } from "../src/schema.ts";
import { finished, started } from "./run-events.ts";

/**
 * A process that upgrades the history of its first argument. `stop`: it stops before the commit, to be killed there. Otherwise it waits
 * for its standard input, and records the run of that number.
 */
const [path = "", what = ""] = process.argv.slice(2);

if (what === "stop") {
  const database = openDatabase(path);
  database.pragma("journal_mode = WAL");
  // What is changed reaches the WAL before the commit.
  database.pragma("cache_size = 1");
  const stopping: Database = Object.create(database, {
    exec: {
      value(sql: string) {
        database.exec(sql);
        if (!sql.includes("user_version")) return;
        writeSync(1, "half");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      },
    },
  });
  database.immediate(() => upgradeSchema(Object.assign(stopping, { immediate: (work: () => unknown) => work() })));
} else {
  const history = await openRunHistory({ path });
  await history.list();
  writeSync(1, "ready");
  await once(process.stdin, "data");
  const record = history.recorder((error) => {
    throw error;
  });
  for (const event of [started(Number(what)), finished(Number(what), "success")]) record(event);
  await history.close();
  process.stdin.destroy();
}
