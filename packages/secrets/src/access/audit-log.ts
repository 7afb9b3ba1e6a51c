import { setImmediate } from "node:timers/promises";
import { AutokestraError, hasCode, type SecretStore } from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import type { KeyManager, Keyring } from "@autokestra/secrets-crypto";
import { type AccessDatabase, openAccessDatabase } from "./access-database.ts";
import {
  type AuditContent,
  type AuditHead,
  type AuditRow,
  anchorFields,
  ChainVerifier,
  chainRow,
  hashOf,
  toContent,
  toRecord,
} from "./audit-chain.ts";
import type { AuditEvent, AuditFilter, AuditLog, AuditRecord, AuditReport, AuditState } from "./audit-event.ts";
import {
  append,
  endsOf,
  headOf,
  insert,
  lastRow,
  MAX_PRUNED,
  NAMES,
  prune,
  SYSTEM,
  toCondition,
} from "./audit-rows.ts";
import { type AuditSettings, DEFAULT_KEEP_DAYS } from "./audit-settings.ts";
import type { AuditSink } from "./audit-sink.ts";

/** After how many records, or how long after one, the store remembers where the log ends. */
const ANCHOR_RECORDS = 100;
const ANCHOR_MS = 10_000;

const ANCHOR = "audit";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How many rows are read before the rest of the process gets a turn. */
const STEP = 1000;

/** The same for rows that are only looked at. There is no index: it would cost every record. */
const LOOKED_AT = 20_000;

/** The same for rows that are verified: this takes some 5 ms. */
const VERIFIED = 200;

export interface AuditLogOptions {
  /** The folder of the store, absolute. */
  readonly folder: string;
  readonly store: Pick<SecretStore, "readAnchor" | "writeAnchor">;
  readonly keys: Pick<KeyManager, "opened" | "keyring" | "keyringIfAny">;
  readonly settings?: AuditSettings | undefined;
  /** Called once, with the first record that the second sink did not accept. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The time now. Default: the clock. */
  readonly now?: (() => string) | undefined;
}

/**
 * Opens the audit log of a store. Nothing is read or made before the first record.
 *
 * @throws AutokestraError `ACCESS_UNAVAILABLE` where there is no SQLite
 */
export async function openAuditLog(options: AuditLogOptions): Promise<StoreAuditLog> {
  const { sink: settings } = options.settings ?? {};
  const access = await openAccessDatabase(options.folder);
  const sink = settings === undefined ? null : (await import("./audit-sink.ts")).createAuditSink(settings);
  return new StoreAuditLog(access, sink, options);
}

/** The audit log of a store, in the database beside it. Use {@link openAuditLog}. */
export class StoreAuditLog implements AuditLog {
  readonly #access: AccessDatabase;
  readonly #sink: AuditSink | null;
  readonly #options: AuditLogOptions;
  readonly #now: () => string;
  #hasTriedKeys = false;
  /** The log was seen to have its end. */
  #isReady = false;
  /** The log has an anchor in the store, as every one that has an HMAC. */
  #isAnchored = false;
  /** The last record that this process has written. */
  #head: AuditHead | null = null;
  /** What is written with the next transaction, and that transaction. */
  #waiting: AuditContent[] = [];
  #writing: Promise<void> | null = null;
  #unanchored = 0;
  #timer: NodeJS.Timeout | null = null;
  #anchoring: Promise<void> = Promise.resolve();
  #prunedAt = Number.NEGATIVE_INFINITY;
  #recorded = 0;
  #failed = 0;

  constructor(access: AccessDatabase, sink: AuditSink | null, options: AuditLogOptions) {
    this.#access = access;
    this.#sink = sink;
    this.#options = options;
    this.#now = options.now ?? (() => new Date().toISOString());
  }

  async record(...events: readonly AuditEvent[]): Promise<void> {
    this.#waiting.push(...events.map((event) => toContent(event, this.#now)));
    this.#writing ??= this.#writeWaiting();
    await this.#writing;
  }

  /**
   * Writes the records of this turn of the event loop in one transaction, so that simultaneous requests wait for the disk once.
   * Callers continue only after it is on the disk.
   */
  async #writeWaiting(): Promise<void> {
    await setImmediate();
    const contents = this.#waiting;
    this.#waiting = [];
    this.#writing = null;
    try {
      const keyring = await this.#prepare();
      const rows = await this.#access
        .write((database) => {
          let head = this.#head;
          return contents.map((content) => {
            const row = append(database, content, keyring, head);
            head = { seq: row.seq, hash: hashOf(row) };
            return row;
          });
        })
        .catch(refuse);
      const last = rows.at(-1);
      // Only what was committed.
      if (last !== undefined) this.#head = { seq: last.seq, hash: hashOf(last) };
      this.#recorded += rows.length;
      this.#unanchored += rows.length;
      await this.#sink?.send(rows.map(toRecord));
    } catch (error) {
      this.#failed += contents.length;
      throw error;
    }
    this.#anchorSoon();
  }

  async *records(filter: AuditFilter = {}): AsyncIterable<AuditRecord> {
    const { condition, values } = toCondition(filter);
    const { limit: wanted = Number.POSITIVE_INFINITY, newest = false, after = 0, before } = filter;
    const { first, last } = await this.#access.read(endsOf);
    const until = Math.min(last, (before ?? Number.POSITIVE_INFINITY) - 1);
    let from = Math.max(after, first - 1);
    if (newest && wanted < until - from) from = await this.#beforeNewest(condition, values, { from, until, wanted });
    const sql = `SELECT ${NAMES} FROM audit WHERE seq > @from AND seq <= @until${condition} ORDER BY seq LIMIT @limit`;
    for (let left = wanted; from < until && left > 0; ) {
      const step = { from, until: Math.min(until, from + LOOKED_AT), limit: Math.min(STEP, left) };
      const rows = await this.#access.read((database) =>
        database.prepare<[object], AuditRow>(sql).all({ ...values, ...step }),
      );
      for (const row of rows) yield toRecord(row);
      left -= rows.length;
      from = rows.length === step.limit ? (rows.at(-1)?.seq ?? until) : step.until;
      await setImmediate();
    }
  }

  /** The record before the newest ones that pass; `from` if there are fewer. */
  async #beforeNewest(
    condition: string,
    values: object,
    { from, until, wanted }: { readonly from: number; readonly until: number; readonly wanted: number },
  ): Promise<number> {
    const sql = `SELECT seq FROM audit WHERE seq > @from AND seq <= @until${condition} ORDER BY seq DESC LIMIT @left`;
    for (let [end, left] = [until, wanted]; end > from; ) {
      const step = { from: Math.max(from, end - LOOKED_AT), until: end, left };
      const found = await this.#access.read((database) =>
        database
          .prepare<[object], number>(sql)
          .pluck()
          .all({ ...values, ...step }),
      );
      if (found.length === left) return (found.at(-1) ?? from + 1) - 1;
      left -= found.length;
      end = step.from;
      await setImmediate();
    }
    return from;
  }

  async verify(): Promise<AuditReport> {
    // Before the records: it never is ahead of them.
    const anchor = await this.#options.store.readAnchor(ANCHOR);
    const until = await this.#access.read((database) => lastRow(database)?.seq ?? 0);
    if (until === 0 && anchor === null) return NO_RECORDS;
    const keyring = await this.#options.keys.keyringIfAny();
    const head = anchor === null ? null : { seq: anchor.counter, hash: anchor.text };
    const isChanged = head !== null && keyring?.checkFields("audit", anchorFields(head), anchor?.mac ?? "") !== true;
    const verifier = new ChainVerifier(keyring, isChanged ? null : head);
    const first = await this.#firstSeq();
    for (let after = 0; after < until; ) {
      const rows = await this.#rowsAfter(after, until);
      // Pruned at this moment: what was read first is gone by now.
      const firstNow = await this.#firstSeq();
      if (firstNow !== first && (rows[0]?.seq ?? 0) <= firstNow) return await this.verify();
      for (const row of rows) verifier.add(row);
      after = rows.at(-1)?.seq ?? until;
      await setImmediate();
    }
    return verifier.report(isChanged);
  }

  async prune(before: string): Promise<number> {
    const keyring = await this.#options.keys.keyring();
    await this.#prepare();
    const removed = await this.#access.write((database) => prune(database, before, this.#now, keyring)).catch(refuse);
    if (removed > 0) {
      this.#unanchored++;
      await this.#anchor();
    }
    return removed;
  }

  async restart(): Promise<number> {
    const { keys, store } = this.#options;
    const anchor = await store.readAnchor(ANCHOR);
    const keyring = await (anchor === null ? keys.keyringIfAny() : keys.keyring());
    // Before the first key nothing is remembered that could be lost.
    if (keyring === null) return 0;
    const lost = await this.#access
      .write((database) => {
        const last = lastRow(database)?.seq ?? 0;
        if (anchor === null || anchor.counter <= last) return 0;
        const event = { actor: SYSTEM, action: "audit.restart", outcome: "done" } as const;
        const at = { seq: anchor.counter + 1, prev: anchor.text };
        insert(database, chainRow(toContent(event, this.#now), at, keyring));
        return anchor.counter - last;
      })
      .catch(refuse);
    if (lost > 0) this.#unanchored++;
    await this.#anchor();
    return lost;
  }

  state(): AuditState {
    return { recorded: this.#recorded, failed: this.#failed, sinkFailed: this.#sink?.failed() ?? 0 };
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#unanchored > 0) await this.#anchor();
    await this.#sink?.close();
    const lost = this.#sink?.failed() ?? 0;
    if (lost > 0) this.#options.onNotice?.(`the second sink of the audit log did not take ${plural(lost, "record")}`);
    this.#access.close();
  }

  /**
   * Before the first record of this process: the log must have all that the store remembers of it, and the store must remember it before
   * the first HMAC, so that a missing anchor shows too.
   *
   * @returns the keys for HMACs, where they can be opened
   */
  async #prepare(): Promise<Keyring | null> {
    const keyring = await this.#findKeyring();
    if (this.#isReady && (this.#isAnchored || keyring === null)) return keyring;
    const { store } = this.#options;
    const anchor = await store.readAnchor(ANCHOR);
    const head = await this.#access.read((database) => headOf(database)).catch(refuse);
    if (anchor !== null && anchor.counter > head.seq) throw endRemoved(head.seq, anchor.counter);
    if (anchor === null && keyring !== null) {
      // False where another process was faster.
      await store.writeAnchor(toAnchor(head, keyring), null);
    }
    this.#isReady = true;
    this.#isAnchored = keyring !== null;
    return keyring;
  }

  /** Without keys records have no HMAC. Code that needs the keys reports why they do not open. */
  async #findKeyring(): Promise<Keyring | null> {
    const { keys } = this.#options;
    if (keys.opened() === null && !this.#hasTriedKeys) await keys.keyringIfAny().catch(() => undefined);
    this.#hasTriedKeys = true;
    return keys.opened();
  }

  #anchorSoon(): void {
    if (this.#unanchored >= ANCHOR_RECORDS) void this.#anchor();
    this.#timer ??= setTimeout(() => void this.#anchor(), ANCHOR_MS).unref();
  }

  /** One at a time. Where it cannot be done now, the next one does it. */
  async #anchor(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unanchored = 0;
    this.#anchoring = this.#anchoring
      .then(async () => await this.#writeAnchor())
      .then(async () => await this.#pruneOld())
      .catch(() => {
        this.#unanchored++;
      });
    await this.#anchoring;
  }

  async #writeAnchor(): Promise<void> {
    const { keys, store } = this.#options;
    const keyring = keys.opened();
    if (keyring === null) return;
    for (;;) {
      const anchor = await store.readAnchor(ANCHOR);
      const head = await this.#access.read((database) => headOf(database));
      if (anchor !== null && anchor.counter >= head.seq) return;
      if (await store.writeAnchor(toAnchor(head, keyring), anchor?.counter ?? null)) return;
    }
  }

  /** At most once an hour, and not for less than a day: each time leaves a record. */
  async #pruneOld(): Promise<void> {
    const keyring = this.#options.keys.opened();
    if (keyring === null || performance.now() - this.#prunedAt < DAY_MS / 24) return;
    this.#prunedAt = performance.now();
    const keepDays = this.#options.settings?.keepDays ?? DEFAULT_KEEP_DAYS;
    const end = Date.parse(this.#now()) - keepDays * DAY_MS;
    const oldest = await this.#access.read((database) =>
      database.prepare<[], string>("SELECT time FROM audit ORDER BY seq LIMIT 1").pluck().get(),
    );
    if (oldest === undefined || Date.parse(oldest) > end - DAY_MS) return;
    const before = new Date(end).toISOString();
    while ((await this.#access.write((database) => prune(database, before, this.#now, keyring))) === MAX_PRUNED) {
      await setImmediate();
    }
    await this.#writeAnchor();
  }

  async #rowsAfter(after: number, until: number): Promise<readonly AuditRow[]> {
    const sql = `SELECT ${NAMES} FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${VERIFIED}`;
    return await this.#access.read((database) => database.prepare<[number, number], AuditRow>(sql).all(after, until));
  }

  async #firstSeq(): Promise<number> {
    return (await this.#access.read(endsOf)).first;
  }
}

const NO_RECORDS: AuditReport = {
  records: 0,
  first: null,
  last: null,
  authenticated: 0,
  uncovered: 0,
  anchoredAt: null,
  lost: 0,
  problem: null,
};

function toAnchor(head: AuditHead, keyring: Keyring): Parameters<SecretStore["writeAnchor"]>[0] {
  return {
    name: ANCHOR,
    counter: head.seq,
    text: head.hash,
    mac: keyring.authenticateFields("audit", anchorFields(head)),
  };
}

/** @throws AutokestraError `AUDIT_UNAVAILABLE` for one of the database */
function refuse(error: unknown): never {
  if (!hasCode(error, "ACCESS_UNAVAILABLE")) throw error;
  throw new AutokestraError("AUDIT_UNAVAILABLE", `The audit log cannot be written: ${error.message}`, {
    hint: error.hint ?? "Nothing is given out that the log would not know of. Lists still work.",
  });
}

function endRemoved(last: number, anchored: number): AutokestraError {
  return new AutokestraError(
    "AUDIT_UNAVAILABLE",
    `The audit log has lost its end: it ends at record ${last}, and the store remembers record ${anchored}`,
    {
      hint: "Put access.db back where it was removed or replaced. Nothing is given out until then.",
      details: { reason: "end removed" },
    },
  );
}
