import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { createDoorbell, openRunHistory } from "../src/index.ts";
import { runLedgerContract } from "../src/testing/index.ts";

describe("the ledger in SQLite", () => {
  runLedgerContract({
    it,
    expect,
    async open(secrets) {
      const path = join(temporaryFolder(), "runs.db");
      const [one, other] = await Promise.all([openRunHistory({ path, secrets }), openRunHistory({ path, secrets })]);
      return {
        ledger: one.ledger,
        other: other.ledger,
        async loseOwner(run) {
          const database = openDatabase(path);
          database.prepare("UPDATE run_records SET pid = NULL WHERE id = ?").run(run);
          database.close();
        },
      };
    },
  });
});

describe("a doorbell", () => {
  it("rings for all, as many at a time as may be, also for what was rung before anybody listened", async () => {
    const bell = createDoorbell();
    bell.ring(["1", "2"]);
    const seen: string[] = [];
    let most = 0;
    let running = 0;
    bell.listen(2, async (id) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      seen.push(id);
    });
    bell.ring(["3", "4", "5"]);
    await expect.poll(() => seen.length).toBe(5);
    expect(most).toBe(2);
    await bell.close();
  });

  it("goes on after a handler that fails, and stops when it is closed", async () => {
    const bell = createDoorbell();
    const seen: string[] = [];
    bell.listen(1, async (id) => {
      seen.push(id);
      throw new Error("fails");
    });
    bell.ring(["1", "2"]);
    await expect.poll(() => seen).toEqual(["1", "2"]);
    await bell.close();
    bell.ring(["3"]);
    expect(seen).toEqual(["1", "2"]);
  });
});
