import type { ApiProvenance, ApiRun } from "@autokestra/server/answers";
import { useEffect } from "preact/hooks";
import { pathOf } from "../api.ts";
import { type Column, DataTable } from "../components/data-table.tsx";
import { countOf, formatDuration } from "../components/format.ts";
import { Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { useLoaded, useSession } from "../hooks.ts";

type Provenance = ApiProvenance[number];

/** How often to poll a run that is running. */
const BUSY_MS = 5000;

/** Where the secrets of a run came from, which tasks used them, and how often they were masked. Never a value. */
export function RunSecrets({ runId, status }: { runId: string; status: ApiRun["status"] }) {
  const { api } = useSession();
  const { value, error, isLoading, reload } = useLoaded(
    async (signal) => await api.get<ApiProvenance>(pathOf`/runs/${runId}/secrets`, { signal }),
    [runId, status],
  );
  useEffect(() => {
    if (status !== "running") return undefined;
    const timer = setTimeout(reload, BUSY_MS);
    return () => clearTimeout(timer);
  }, [status, value, error]);
  return (
    <>
      <ProblemMessage error={error} onRetry={reload} />
      {value === null && isLoading && <Loading />}
      {value?.length === 0 && <p class="muted">The run has used no secret.</p>}
      {value !== null && value.length > 0 && (
        <DataTable caption="Secrets of the run" columns={COLUMNS} rows={value} keyOf={({ name }) => name} />
      )}
    </>
  );
}

const COLUMNS: readonly Column<Provenance>[] = [
  { header: "Secret", cell: ({ name }) => name },
  { header: "From", cell: (secret) => <Source secret={secret} /> },
  { header: "Used by", cell: (secret) => <Uses secret={secret} /> },
  { header: "Masked", cell: ({ masked }) => <Masked masked={masked} /> },
];

function Source({ secret: { source, version, binding, staleSeconds, leases } }: { secret: Provenance }) {
  const place = binding?.lease ?? binding?.path;
  const last = leases.at(-1);
  return (
    <>
      {source === "run" ? "the run itself" : source}
      {version !== null && `, version ${version}`}
      {place !== undefined && (
        <>
          , <code>{place}</code>
        </>
      )}
      {binding?.field !== undefined && `, field ${binding.field}`}
      {staleSeconds !== null && (
        <p class="fine">A value from {formatDuration(staleSeconds * 1000)} before: the source did not answer.</p>
      )}
      {last !== undefined && (
        <p class="fine">
          Made for this run, {LEASES[last.type] ?? last.type} <Time iso={last.time} />
        </p>
      )}
    </>
  );
}

const LEASES: Readonly<Record<string, string>> = {
  created: "created",
  renewed: "renewed",
  renewalFailed: "could not be renewed",
  ending: "cannot be renewed any longer",
  revoked: "revoked",
  revocationFailed: "could not be revoked",
};

function Uses({ secret: { source, uses } }: { secret: Provenance }) {
  // Uses are recorded of declared secrets, and not of what became secret in the run.
  if (uses.length === 0) return <>{source === "run" ? "–" : "no task"}</>;
  return (
    <ul class="plain">
      {uses.map(({ task, path }) => (
        <li key={`${task} ${path}`}>
          {task ?? "outputs"} <code class="fine">{path}</code>
        </li>
      ))}
    </ul>
  );
}

function Masked({ masked: { count, variants } }: Pick<Provenance, "masked">) {
  if (count === 0) return <>never</>;
  return (
    <>
      {countOf(count, "time")}
      {variants.length > 0 && <p class="fine">as {variants.join(", ")}</p>}
    </>
  );
}
