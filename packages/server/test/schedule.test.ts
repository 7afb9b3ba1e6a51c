import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Schedule, type ScheduledWorkflow, type ScheduleOptions } from "../src/schedule.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Times in memory, as several servers share them. */
function createTakenTimes(): ScheduleOptions["claims"] {
  const times = new Map<string, Date>();
  return {
    async take(workflow, time) {
      const last = times.get(workflow);
      if (last !== undefined && last >= time && last.getTime() <= Date.now() + HOUR) return false;
      times.set(workflow, time);
      return true;
    },
    last: async (workflow) => times.get(workflow) ?? null,
  };
}

interface Started {
  readonly workflow: string;
  readonly time: string;
}

function place(options: Partial<ScheduleOptions> = {}) {
  const started: Started[] = [];
  const failures: unknown[] = [];
  const taken = createTakenTimes();
  const create = () =>
    new Schedule({
      claims: taken,
      start: (workflow, time) => void started.push({ workflow, time: time.toISOString() }),
      isRunning: async () => false,
      onFailure: (_, error) => void failures.push(error),
      ...options,
    });
  return { started, failures, taken, create };
}

const daily: ScheduledWorkflow = { id: "daily", cron: "30 2 * * *", timeZone: "Europe/Berlin" };

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2025-12-31T23:00:00Z") }));
afterEach(() => void vi.useRealTimers());

describe("a year, with two changes of the clocks", () => {
  it("runs each workflow once at each of its times, also where two servers watch it", async () => {
    const { started, failures, create } = place();
    const workflows: ScheduledWorkflow[] = [
      daily,
      { id: "weekdays", cron: "0 6 * * 1-5", timeZone: "America/New_York" },
      { id: "monthly", cron: "0 0 L * *", timeZone: "Asia/Tokyo" },
    ];
    const schedules = [create(), create()];
    for (const schedule of schedules) await schedule.set(workflows);
    // From one time at which something is due to the next: between them, servers only look at the clock, once a minute.
    const end = Date.now() + 365 * DAY;
    const nextTime = () => {
      const times = schedules.flatMap((schedule) => workflows.map(({ id }) => schedule.next(id)));
      return Math.min(...times.map((time) => time?.getTime() ?? Number.POSITIVE_INFINITY));
    };
    for (let next = nextTime(); next < end; next = nextTime()) {
      vi.setSystemTime(Math.max(Date.now(), next - MINUTE));
      await vi.advanceTimersByTimeAsync(MINUTE);
    }
    for (const schedule of schedules) schedule.stop();

    const times = (id: string) => started.filter(({ workflow }) => workflow === id).map(({ time }) => time);
    const local = (time: string, timeZone: string) => new Date(time).toLocaleString("sv", { timeZone });
    const dates = times("daily").map((time) => local(time, "Europe/Berlin").slice(0, 10));
    expect(dates).toHaveLength(365);
    expect(new Set(dates).size).toBe(365);
    // 02:30 does not exist on one day, and comes twice on another.
    const odd = times("daily").filter((time) => !local(time, "Europe/Berlin").endsWith("02:30:00"));
    expect(odd).toEqual(["2026-03-29T01:30:00.000Z"]);
    const atSix = times("weekdays").map((time) => local(time, "America/New_York"));
    expect(atSix).toHaveLength(261);
    expect(atSix.every((time) => time.endsWith("06:00:00"))).toBe(true);
    expect(times("monthly").map((time) => local(time, "Asia/Tokyo").slice(5, 10))).toEqual(
      "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31".split(" "),
    );
    expect(failures).toEqual([]);
  });

  it.each([
    ["forward: 23 hours", "2026-03-28T23:00:00Z", 23],
    ["back: the hour that comes twice counts once", "2026-10-24T22:00:00Z", 24],
  ])("runs every hour of the day on which clocks are put %s", async (_, midnight, hours) => {
    vi.setSystemTime(Date.parse(midnight) - 1);
    const { started, create } = place();
    const schedule = create();
    await schedule.set([{ id: "hourly", cron: "@hourly", timeZone: "Europe/Berlin" }]);
    const isBack = midnight.includes("-10-");
    await vi.advanceTimersByTimeAsync((isBack ? 25 : 23) * HOUR);
    schedule.stop();
    expect(new Set(started.map(({ time }) => time)).size).toBe(hours);
    expect(started).toHaveLength(hours);
  });
});

describe("a time that passed while there was no server", () => {
  it.each([
    ["skip", 0],
    ["once", 1],
  ] as const)("%s", async (missed, runs) => {
    const { started, create } = place();
    const workflow = { ...daily, missed };
    const first = create();
    await first.set([workflow]);
    await vi.advanceTimersByTimeAsync(HOUR);
    first.stop();
    await vi.advanceTimersByTimeAsync(5 * DAY);
    expect(started).toEqual([]);
    const schedules = [create(), create()];
    await Promise.all(schedules.map(async (schedule) => await schedule.set([workflow])));
    expect(started).toHaveLength(runs);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(started).toHaveLength(runs + 1);
    for (const schedule of schedules) schedule.stop();
  });

  it("is none for a workflow that is new", async () => {
    const { started, create } = place();
    const schedule = create();
    await schedule.set([{ ...daily, missed: "once" }]);
    expect(started).toEqual([]);
    schedule.stop();
  });

  it.each([
    ["skip", 0],
    ["once", 1],
  ] as const)("because the machine slept: %s", async (missed, runs) => {
    const { started, create } = place();
    const schedule = create();
    await schedule.set([{ ...daily, missed }]);
    vi.setSystemTime(Date.now() + 6 * HOUR);
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    expect(started).toHaveLength(runs);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(started).toHaveLength(runs + 1);
    schedule.stop();
  });
});

describe("a clock that was years ahead, and is put right", () => {
  it.each(["before a time", "after a time"])("leaves no workflow without its times: %s", async (moment) => {
    const { started, create } = place();
    const [now, ahead] = [Date.now(), Date.parse("2040-01-01T00:00:00Z")];
    vi.setSystemTime(ahead);
    const schedule = create();
    await schedule.set([daily]);
    if (moment === "after a time") await vi.advanceTimersByTimeAsync(DAY);
    vi.setSystemTime(now);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(schedule.next("daily")?.toISOString()).toBe("2026-01-01T01:30:00.000Z");
    await vi.advanceTimersByTimeAsync(2 * DAY);
    schedule.stop();
    const times = started.map(({ time }) => time).filter((time) => time < "2040");
    expect(times).toEqual(["2026-01-01T01:30:00.000Z", "2026-01-02T01:30:00.000Z"]);
  });

  it("starts nothing twice where it was an hour ahead at most", async () => {
    const { started, create } = place();
    const schedule = create();
    await schedule.set([{ ...daily, id: "hourly", cron: "0 * * * *" }]);
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    vi.setSystemTime(Date.now() - 50 * MINUTE);
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    schedule.stop();
    expect(new Set(started.map(({ time }) => time)).size).toBe(started.length);
    expect(started).toHaveLength(3);
  });
});

describe("while the run before goes on", () => {
  it.each([
    ["skip", 0],
    ["allow", 3],
  ] as const)("%s", async (overlap, runs) => {
    const { started, create } = place({ isRunning: async () => true });
    const schedule = create();
    await schedule.set([{ ...daily, overlap }]);
    await vi.advanceTimersByTimeAsync(3 * DAY);
    expect(started).toHaveLength(runs);
    schedule.stop();
  });
});

describe("other workflows", () => {
  it("a changed time counts from now on, and one that has gone does not", async () => {
    const { started, create } = place();
    const schedule = create();
    await schedule.set([daily, { id: "gone", cron: "0 * * * *" }]);
    expect(schedule.next("daily")?.toISOString()).toBe("2026-01-01T01:30:00.000Z");
    await schedule.set([{ ...daily, cron: "0 4 * * *" }]);
    expect(schedule.next("daily")?.toISOString()).toBe("2026-01-01T03:00:00.000Z");
    expect(schedule.next("gone")).toBeNull();
    await vi.advanceTimersByTimeAsync(DAY);
    expect(started).toEqual([{ workflow: "daily", time: "2026-01-01T03:00:00.000Z" }]);
    schedule.stop();
    await vi.advanceTimersByTimeAsync(DAY);
    expect(started).toHaveLength(1);
  });

  it("one whose times cannot be found is told, and keeps no other from its own", async () => {
    const { started, failures, create } = place();
    const schedule = create();
    await schedule.set([{ id: "never", cron: "0 0 31 4,6,9,11 *" }, { id: "no cron", cron: "x" }, daily]);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(started.map(({ workflow }) => workflow)).toEqual(["daily"]);
    expect(failures.length).toBeGreaterThan(0);
    schedule.stop();
  });

  it("a failure is told, and the next time is tried", async () => {
    const taken = createTakenTimes();
    let failures = 0;
    const { started, create } = place({
      claims: {
        ...taken,
        async take(workflow, time) {
          if (time.getTime() > Date.parse("2026-01-01T01:00:00Z") && failures === 0) throw new Error("no disk");
          return await taken.take(workflow, time);
        },
      },
      onFailure() {
        failures += 1;
      },
    });
    const schedule = create();
    await schedule.set([daily]);
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(failures).toBe(1);
    expect(started).toHaveLength(1);
    schedule.stop();
  });
});
