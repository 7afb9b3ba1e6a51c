import type { LeaseEvent, MaskCount } from "@autokestra/secrets-core";
import { z } from "zod";
import type { LogEvent, RecordedEvent, RunFinished } from "./events.ts";

/** A secret of a run: where it came from, where it was used, and how often it had to be masked. Never its value. */
export interface SecretProvenance {
  /** The name of the secret; for a value that became secret in the run, what `masked` of the run calls it. */
  readonly name: string;
  /**
   * The id of the source: `store`, `environment`, or a provider. `run` for a value that became secret in the run: an
   * input, a part of an output, or what a plugin has masked.
   */
  readonly source: string;
  /** The version, as the source writes it; null if it has none. */
  readonly version: string | null;
  /** Where in the source it is, for a name that is bound to it; otherwise null. */
  readonly binding: BoundPlace | null;
  /** The age of an earlier value that was used because the source was unavailable, in seconds; otherwise null. */
  readonly staleSeconds: number | null;
  /** Where tasks that have started use it, and the outputs of the workflow. */
  readonly uses: readonly SecretUse[];
  /** How often and in which variants it was masked; what is masked between two tasks counts here alone. */
  readonly masked: MaskCount;
  /** The same by task, and by item of a `forEach`: `deploy[3]`. */
  readonly maskedIn: Readonly<Record<string, MaskCount>>;
  /** What has happened to the credentials that it consists of, in their order. */
  readonly leases: readonly LeaseRecord[];
}

/** Where in its source a secret is. */
export interface BoundPlace {
  readonly path?: string;
  /** The only field that is used. Default: all fields. */
  readonly field?: string;
  /** The path of credentials that were created for the run. Default: none were. */
  readonly lease?: string;
}

/** A place that uses a secret. */
export interface SecretUse {
  /** The name of the task: `child/deploy` in a called workflow, without the item of a `forEach`. Null for the outputs. */
  readonly task: string | null;
  /** The path in the inputs of the task: `headers.Authorization`; with `forEach` or `outputs` in front for these. */
  readonly path: string;
}

/** Something that has happened to credentials. */
export interface LeaseRecord {
  readonly type: LeaseEvent["type"];
  /** ISO 8601 UTC. */
  readonly time: string;
  readonly expiresAt: string;
}

/**
 * Returns the secrets that a run has resolved, in their order, and then what became secret in the run. Use it to find
 * out what a leaked credential was used for. Of a run that has not ended it tells what is known so far. Events of runs
 * before this was recorded have sources and counts only.
 *
 * @param events all events of one run, as a run history returns them
 */
export function secretsOfRun(events: readonly RecordedEvent[]): readonly SecretProvenance[] {
  const resolved = new Map<string, Resolved>();
  const uses = new Map<string, SecretUse[]>();
  const leases: Lease[] = [];
  for (const event of events) {
    if (event.event === "run.started") readSources(event.data, resolved, uses);
    if (event.event === "task.started") readUses(event, uses);
    if (event.event === "run.lease") leases.push(...readLease(event));
  }
  const masked = maskedOf(events);
  const names = new Set([...resolved.keys(), ...masked.total.keys()]);
  return [...names].map((name) => {
    const { source = "run", version = null, binding: bound = null, staleSeconds = null } = resolved.get(name) ?? {};
    return {
      name,
      source,
      version,
      binding: bound,
      staleSeconds,
      uses: uses.get(name) ?? [],
      masked: masked.total.get(name) ?? { count: 0, variants: [] },
      maskedIn: Object.fromEntries(masked.tasks.get(name) ?? []),
      leases: leases.flatMap(({ lease, ...record }) =>
        bound?.lease !== undefined && lease.source === source && lease.path === bound.lease ? [record] : [],
      ),
    };
  });
}

const binding: z.ZodType<BoundPlace> = z.object({
  path: z.string().exactOptional(),
  field: z.string().exactOptional(),
  lease: z.string().exactOptional(),
});

const resolvedSecret = z.object({
  source: z.string(),
  version: z.string().exactOptional(),
  binding: binding.exactOptional(),
  staleSeconds: z.number().exactOptional(),
  outputs: z.array(z.string()).default([]),
});

type Resolved = z.infer<typeof resolvedSecret>;

const started = z.object({ secrets: z.record(z.string(), resolvedSecret) });

function readSources(data: unknown, resolved: Map<string, Resolved>, uses: Map<string, SecretUse[]>): void {
  for (const [name, secret] of Object.entries(started.safeParse(data).data?.secrets ?? {})) {
    resolved.set(name, secret);
    uses.set(
      name,
      secret.outputs.map((path) => ({ task: null, path })),
    );
  }
}

const used = z.object({ secrets: z.record(z.string(), z.array(z.string())) });

/** Items of one list use the same secrets: the first one stands for all. */
function readUses({ task = "", data }: LogEvent, uses: Map<string, SecretUse[]>): void {
  const name = task.replaceAll(/\[\d+\]/g, "");
  for (const [secret, paths] of Object.entries(used.safeParse(data).data?.secrets ?? {})) {
    const known = uses.get(secret) ?? [];
    const isNew = (path: string) => !known.some((use) => use.task === name && use.path === path);
    uses.set(secret, [...known, ...paths.filter(isNew).map((path) => ({ task: name, path }))]);
  }
}

const lease = z.object({
  lease: z.object({
    type: z.enum(["created", "renewed", "renewalFailed", "ending", "revoked", "revocationFailed"]),
    source: z.string(),
    path: z.string().nullable(),
    expiresAt: z.string(),
  }),
});

interface Lease extends LeaseRecord {
  readonly lease: z.infer<typeof lease>["lease"];
}

function readLease({ data, time }: LogEvent): Lease[] {
  const { data: found } = lease.safeParse(data);
  if (found === undefined) return [];
  const { type, expiresAt } = found.lease;
  return [{ type, time, expiresAt, lease: found.lease }];
}

/** Credentials that were created for a run and not revoked. */
export interface LeftLease {
  /** The names of the secrets that they are. */
  readonly names: readonly string[];
  readonly source: string;
  readonly path: string;
  /** Until when they are valid. ISO 8601 UTC. */
  readonly expiresAt: string;
}

/** What one attempt of a run has of the credentials at one path; several secrets may have their own there. */
interface OpenLeases {
  readonly left: LeftLease;
  readonly count: number;
}

/**
 * Returns the credentials that attempts of a run have left behind, such as one whose process was lost.
 *
 * @param events those of type `run.started` and `run.lease` of one run, in their order
 */
export function leftLeases(events: readonly RecordedEvent[]): LeftLease[] {
  const all: Map<string, OpenLeases>[] = [];
  let names = new Map<string, string[]>();
  for (const event of events) {
    if (event.event === "run.started") {
      all.push(new Map());
      names = leasedNames(event.data);
    }
    for (const known of event.event === "run.lease" ? readLease(event) : []) {
      const { type, source, path, expiresAt } = known.lease;
      const open = all.at(-1);
      // A login ends with its own time, and nobody but a provider has seen it.
      if (open === undefined || path === null) continue;
      const place = placeOf(source, path);
      const count = (open.get(place)?.count ?? 0) + (type === "created" ? 1 : type === "revoked" ? -1 : 0);
      if (count <= 0) open.delete(place);
      else open.set(place, { left: { names: names.get(place) ?? [], source, path, expiresAt }, count });
    }
  }
  return all.flatMap((open) => Array.from(open.values(), ({ left }) => left));
}

/** The names of secrets that are credentials, by their places. */
function leasedNames(data: unknown): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [name, { source, binding: bound }] of Object.entries(started.safeParse(data).data?.secrets ?? {})) {
    if (bound?.lease === undefined) continue;
    const place = placeOf(source, bound.lease);
    names.set(place, [...(names.get(place) ?? []), name]);
  }
  return names;
}

function placeOf(source: string, path: string): string {
  return JSON.stringify([source, path]);
}

interface MaskedSecrets {
  readonly total: ReadonlyMap<string, MaskCount>;
  /** By the name of the secret, and then of the task. */
  readonly tasks: ReadonlyMap<string, ReadonlyMap<string, MaskCount>>;
}

/** Of an unfinished run: what the ends of its tasks have reported. */
function maskedOf(events: readonly RecordedEvent[]): MaskedSecrets {
  const byTask = new Map<string, RunFinished["masked"]>();
  let total: RunFinished["masked"] = {};
  for (const event of events) {
    if (event.event === "task.finished" && event.task !== undefined) byTask.set(event.task, event.masked ?? {});
    if (event.event !== "run.finished") continue;
    total = event.masked;
    for (const [id, { masked }] of Object.entries(event.tasks)) if (masked !== undefined) byTask.set(id, masked);
  }
  const tasks = new Map<string, Map<string, MaskCount>>();
  for (const [id, masked] of byTask) {
    for (const [name, count] of Object.entries(masked)) {
      tasks.set(name, (tasks.get(name) ?? new Map()).set(id, count));
    }
  }
  const all = new Map(Object.entries(total));
  for (const [name, counts] of tasks) if (!all.has(name)) all.set(name, sumOf([...counts.values()]));
  return { total: all, tasks };
}

function sumOf(counts: readonly MaskCount[]): MaskCount {
  const variants = new Set(counts.flatMap((count) => count.variants));
  return { count: counts.reduce((sum, { count }) => sum + count, 0), variants: [...variants] };
}
