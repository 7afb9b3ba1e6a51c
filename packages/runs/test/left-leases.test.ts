import { expect, it } from "vitest";
import type { LogEvent, RecordedEvent } from "../src/index.ts";
import { leftLeases } from "../src/provenance.ts";

const base = { time: "2026-01-01T00:00:00.000Z", level: "info", execution: "run", message: "" } as const;
const UNTIL = "2026-01-01T01:00:00.000Z";
const LATER = "2026-01-01T02:00:00.000Z";

const started = (...leased: string[]): RecordedEvent => ({
  ...base,
  event: "run.started",
  data: {
    secrets: {
      OTHER: { source: "store" },
      ...Object.fromEntries(leased.map((name) => [name, { source: "vault", binding: { lease: `creds/${name[0]}` } }])),
    },
  },
});

const lease = (type: string, path: string | null = "creds/A", expiresAt = UNTIL): LogEvent => ({
  ...base,
  event: "run.lease",
  data: { lease: { type, source: "vault", path, expiresAt } },
});

const left = (names: string[], path = "creds/A", expiresAt = UNTIL) => ({ names, source: "vault", path, expiresAt });

it.each<[string, RecordedEvent[], ReturnType<typeof left>[]]>([
  ["nothing", [started("A"), lease("created"), lease("revoked")], []],
  ["those of a process that was lost", [started("A"), lease("created")], [left(["A"])]],
  [
    "until when they were renewed",
    [started("A"), lease("created"), lease("renewed", "creds/A", LATER)],
    [left(["A"], "creds/A", LATER)],
  ],
  ["those that could not be given back", [started("A"), lease("created"), lease("revocationFailed")], [left(["A"])]],
  [
    "those of one of two secrets of one place",
    [started("A1", "A2"), lease("created"), lease("created"), lease("revoked")],
    [left(["A1", "A2"])],
  ],
  ["no login", [started("A"), lease("revocationFailed", null)], []],
  [
    "those of the attempt that made them",
    [
      started("A"),
      lease("created"),
      started("A", "B"),
      lease("created"),
      lease("created", "creds/B"),
      lease("revoked"),
    ],
    [left(["A"]), left(["B"], "creds/B")],
  ],
  ["nothing of events that say nothing", [started(), { ...base, event: "run.lease", data: { lease: 1 } }], []],
])("attempts of a run have left behind: %s", (_, events, expected) => {
  expect(leftLeases(events)).toEqual(expected);
});
