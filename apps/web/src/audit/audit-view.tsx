import type { ApiAuditRecord, ApiAuditReport } from "@autokestra/server/answers";
import { useState } from "preact/hooks";
import { CursorPager, cursorsOf } from "../components/cursor-pager.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { FilterForm, FilterText } from "../components/filters.tsx";
import { countOf, shortId } from "../components/format.ts";
import { Badge, EmptyState, Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import { useLoaded, useSession, useWork } from "../hooks.ts";
import { hrefOf, type Route, replaceRoute } from "../router.ts";
import { ACTIONS, describeAction, describeOutcome, describeReport, OUTCOMES } from "./audit-words.ts";
import "./audit.css";

const PAGE_SIZE = 50;

const FILTERS = ["secret", "actor", "action", "outcome", "execution", "since"] as const;
type Filter = Readonly<Record<(typeof FILTERS)[number], string>>;

const PERIODS = [
  ["", "Any time"],
  ["1h", "The last hour"],
  ["1d", "The last day"],
  ["7d", "The last 7 days"],
  ["30d", "The last 30 days"],
] as const;

/** Who read or changed what. */
export function AuditView({ route }: { route: Route }) {
  const { api } = useSession();
  const filter = readFilter(route);
  const cursors = cursorsOf(route);
  const before = cursors.at(-1);
  const query = { ...filter, before, limit: PAGE_SIZE + 1 };
  const { value, error, isLoading, reload } = useLoaded(
    async (signal) => await api.get<readonly ApiAuditRecord[]>("/audit", { query, signal }),
    [JSON.stringify(query)],
  );
  // The API has them in their order; the newest is what people look for.
  const records = value?.toReversed().slice(0, PAGE_SIZE) ?? [];
  const isAll = Object.values(filter).every((text) => text === "");
  return (
    <Page
      title="Audit"
      actions={
        <button type="button" class="secondary outline" onClick={reload}>
          Refresh
        </button>
      }
    >
      <Verify />
      <Filters filter={filter} />
      <ProblemMessage error={error} onRetry={reload} />
      {value === null && isLoading && <Loading />}
      {value !== null && records.length === 0 && (
        <EmptyState title={isAll ? "Nothing is recorded yet." : "No record is like this."}>
          {!isAll && <a href={hrefOf(["audit"])}>Show all records</a>}
        </EmptyState>
      )}
      {records.length > 0 && (
        <>
          <DataTable
            caption="Records, the newest first"
            columns={COLUMNS}
            rows={records}
            keyOf={({ seq }) => String(seq)}
            isBusy={isLoading}
          />
          <CursorPager
            route={route}
            cursors={cursors}
            summary={`${countOf(records.length, "record")}, the newest first`}
            next={(value?.length ?? 0) > PAGE_SIZE ? String(records.at(-1)?.seq) : undefined}
          />
        </>
      )}
    </Page>
  );
}

function readFilter({ query }: Route): Filter {
  return Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""])) as Record<keyof Filter, string>;
}

function Filters({ filter }: { filter: Filter }) {
  const set = (change: Partial<Filter>) => replaceRoute(hrefOf(["audit"], { ...filter, ...change }));
  return (
    <FilterForm>
      <FilterText label="Secret" value={filter.secret} onChange={(secret) => set({ secret })} />
      <FilterText label="Who (id of a token, user)" value={filter.actor} onChange={(actor) => set({ actor })} />
      <label>
        What
        <select value={filter.action} onChange={(event) => set({ action: event.currentTarget.value })}>
          <option value="">Everything</option>
          {Object.entries(ACTIONS).map(([action, text]) => (
            <option key={action} value={action}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        How it went
        <select value={filter.outcome} onChange={(event) => set({ outcome: event.currentTarget.value })}>
          <option value="">Any outcome</option>
          {outcomesFor(filter).map((outcome) => (
            <option key={outcome} value={outcome}>
              {describeOutcome(outcome)[1]}
            </option>
          ))}
        </select>
      </label>
      <label>
        When
        <select value={filter.since} onChange={(event) => set({ since: event.currentTarget.value })}>
          {PERIODS.map(([period, text]) => (
            <option key={period} value={period}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {filter.execution !== "" && (
        <p class="fine">
          Only of the run <a href={hrefOf(["runs", filter.execution])}>{shortId(filter.execution)}</a>.{" "}
          <a href={hrefOf(["audit"], { ...filter, execution: "" })}>Of all runs</a>
        </p>
      )}
    </FilterForm>
  );
}

/** The outcomes to filter by, and one that only the address has: the code of an error. */
function outcomesFor({ outcome }: Filter): readonly string[] {
  return outcome === "" || outcome in OUTCOMES ? Object.keys(OUTCOMES) : [...Object.keys(OUTCOMES), outcome];
}

const COLUMNS: readonly Column<ApiAuditRecord>[] = [
  { header: "When", cell: ({ time }) => <Time iso={time} /> },
  { header: "What", cell: (record) => <What record={record} /> },
  { header: "Secret", cell: ({ secret }) => <Secret secret={secret} /> },
  { header: "Who", cell: ({ actor }) => <Actor actor={actor} /> },
  { header: "In", cell: (record) => <Context record={record} />, isWide: true },
  { header: "Record", cell: ({ seq }) => seq.toLocaleString("en"), isWide: true },
];

const KINDS: Readonly<Record<ApiAuditRecord["actor"]["kind"], string>> = {
  user: "user",
  token: "token",
  jwt: "JWT",
  trigger: "trigger",
  anonymous: "somebody unknown",
  system: "the system",
};

function Actor({ actor: { kind, id, name, address } }: Pick<ApiAuditRecord, "actor">) {
  const { info } = useSession();
  if (id === null) return <>{KINDS[kind]}</>;
  const who = id === info.id ? `${info.name ?? "you"} (you)` : (name ?? shortId(id));
  return (
    <>
      <a href={hrefOf(["audit"], { actor: id })} title={id}>
        {who}
      </a>
      <span class="fine under">
        {KINDS[kind]}
        {name !== null && ` ${shortId(id)}`}
        {address !== null && ` from ${address}`}
      </span>
    </>
  );
}

function What({ record: { action, outcome } }: { record: ApiAuditRecord }) {
  const [tone, text] = describeOutcome(outcome);
  // What a run has come to is another record.
  const isStart = action === "run.start" && outcome === "intent";
  return (
    <>
      {describeAction(action)} {outcome !== "done" && !isStart && <Badge tone={tone}>{text}</Badge>}
    </>
  );
}

function Secret({ secret }: Pick<ApiAuditRecord, "secret">) {
  if (secret === null) return <>–</>;
  const { name, id, version, fields } = secret;
  return (
    <>
      {name === null ? (id ?? "–") : <a href={hrefOf(["audit"], { secret: name })}>{name}</a>}
      <span class="fine under">
        {[
          ...(version === null ? [] : [`version ${version}`]),
          ...(fields.length === 0 ? [] : [fields.join(", ")]),
        ].join(": ")}
      </span>
    </>
  );
}

function Context({ record: { execution, source, requestId } }: { record: ApiAuditRecord }) {
  const { may } = useSession();
  if (execution === null) {
    return <span class="fine">{source ?? (requestId === null ? "–" : `request ${requestId}`)}</span>;
  }
  const run = shortId(execution);
  return (
    <>
      {may("runs:read") ? <a href={hrefOf(["runs", execution])}>run {run}</a> : `run ${run}`}
      <span class="fine under">{source}</span>
    </>
  );
}

/** Checks the whole log, and says in words what it has found. */
function Verify() {
  const { api, info } = useSession();
  const { isBusy, error, start } = useWork();
  const [report, setReport] = useState<ApiAuditReport | null>(null);
  // The log is of all secrets: the server tells those nothing who may see some.
  if (info.prefixes !== null || info.tags !== null) return null;

  async function verify(): Promise<void> {
    setReport(null);
    setReport((await api.call<ApiAuditReport>("POST", "/audit/verify", { body: {} })).body);
  }

  return (
    <section class="card verify">
      <div>
        <h2>Is the log as it was written?</h2>
        <p class="muted">
          Each record is bound to the one before it and signed with a key of the store. A check reads all of them.
        </p>
      </div>
      <button type="button" aria-busy={isBusy} onClick={() => start(verify)}>
        Verify
      </button>
      <div class="report" role="status">
        {report !== null && (
          <div class={report.problem === null ? "fine-report" : "problem"}>
            {describeReport(report).map((sentence, index) => (
              <p key={sentence}>
                {index === 0 && report.problem === null && <span aria-hidden="true">✓ </span>}
                {sentence}
              </p>
            ))}
          </div>
        )}
      </div>
      <ProblemMessage error={error} />
    </section>
  );
}
