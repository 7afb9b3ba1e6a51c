import { join } from "node:path";
import { loadSqlite } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, expect, it } from "vitest";
import { openRunHistory, type RunHistory } from "../src/index.ts";

const opened: RunHistory[] = [];
afterEach(async () => {
  for (const history of opened.splice(0)) await history.close();
});

const ID = "6a1f0c1e-7f0b-4a53-9a3e-0d1f5b6c7d8e";
const OTHER = "7a1f0c1e-7f0b-4a53-9a3e-0d1f5b6c7d8e";

async function open(path = join(temporaryFolder(), "runs.db")) {
  const history = await openRunHistory({ path });
  opened.push(history);
  return { history, path, queued: history.queued };
}

/** Changes which process has the runs that wait. */
async function disown(path: string, set: string): Promise<void> {
  const database = (await loadSqlite()).open(path, { mode: "rw" });
  database.prepare(`UPDATE queued_runs SET ${set}`).run();
  database.close();
}

const run = (id = ID, workflow = "w") => ({
  id,
  workflow,
  file: "/w.yaml",
  start: { keyId: "k", bytes: new Uint8Array([1]) },
});

it("reads an empty queue where there is no history, and makes none", async () => {
  const { queued } = await open(join(temporaryFolder(), "none", "runs.db"));
  expect([await queued.list(), await queued.find(ID), await queued.isOurs(ID), await queued.takeLost(10)]).toEqual([
    [],
    null,
    false,
    [],
  ]);
});

it("keeps runs in their order until they are removed", async () => {
  const { queued } = await open();
  await queued.add(run(OTHER, "v"));
  await queued.add({ ...run(), start: null });
  expect((await queued.list()).map(({ id }) => id)).toEqual([OTHER, ID]);
  expect(await queued.list("w")).toEqual([{ id: ID, workflow: "w", file: "/w.yaml" }]);
  expect([await queued.isOurs(ID), await queued.takeLost(10)]).toEqual([true, []]);
  await queued.remove(ID);
  expect([await queued.find(ID), await queued.find(OTHER)]).toEqual([
    null,
    { id: OTHER, workflow: "v", file: "/w.yaml" },
  ]);
});

it.each<[string, (history: RunHistory) => Promise<void>]>([
  [
    "in the ledger",
    async ({ ledger }) => {
      await ledger.createRun({ id: ID, workflow: "w", file: null, secrets: [], tasks: [], owner: { token: "t" } });
    },
  ],
  [
    "by its first event",
    async (history) => {
      const time = new Date().toISOString();
      const event = { event: "run.started", execution: ID, workflow: "w", message: "w", level: "info", time } as const;
      history.recorder(() => undefined)(event);
    },
  ],
])("a run that has begun %s waits no more", async (_, begin) => {
  const { history, queued } = await open();
  await queued.add(run());
  await begin(history);
  expect([await queued.find(ID), await queued.isOurs(ID)]).toEqual([null, false]);
});

it.each([
  ["whose process has ended", "pid = 999999999", 1],
  ["whose pid another process has", "process_start = 1", 1],
  ["of before a restart of the machine", "boot_id = 'before'", 1],
  ["of another host that tells nothing any more", "host = 'other', until = 0", 1],
  ["of another host", "host = 'other'", 0],
  ["of this process", "until = 0", 0],
])("takes over a run %s: %s", async (_, set, count) => {
  const { queued, path } = await open();
  await queued.add(run());
  await queued.add(run(OTHER));
  await disown(path, set);
  const taken = await Promise.all([queued.takeLost(1), queued.takeLost(10)]);
  expect(taken.flat().map(({ id, start }) => [id, start?.keyId, start?.bytes.length])).toEqual(
    count === 0 ? [] : [ID, OTHER].map((id) => [id, "k", 1]),
  );
  expect(await queued.isOurs(ID)).toBe(count === 1 || set.startsWith("until"));
  expect(await queued.takeLost(10)).toEqual([]);
});

it("a server of another host that tells that it is there keeps its runs", async () => {
  const { queued, path } = await open();
  await queued.add(run());
  await disown(path, "until = 0");
  await queued.beat();
  await disown(path, "host = 'other'");
  expect(await queued.takeLost(10)).toEqual([]);
});
