import type { ApiSecret } from "@autokestra/server/answers";
import { useState } from "preact/hooks";
import { type Column, DataTable, Pager } from "../components/data-table.tsx";
import { ConfirmDialog } from "../components/dialog.tsx";
import { FilterForm, FilterText } from "../components/filters.tsx";
import { countOf } from "../components/format.ts";
import { Badge, EmptyState, Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { hrefOf, replaceRoute } from "../router.ts";
import { listSecrets, purgeSecret, restoreSecret } from "./calls.ts";
import { TYPE_NAMES, TYPES } from "./types.ts";

/** How many secrets are on a page. */
const PAGE_SIZE = 50;

/** What counts as soon, for the API and for people. */
const SOON = { time: "30d", ms: 30 * 86_400_000, text: "30 days" };

/** What is looked for. It stands in the address, so that one comes back to it. */
interface Filter {
  readonly prefix?: string;
  readonly type?: string;
  readonly tag?: string;
  readonly show?: string;
}

const FILTER_KEYS = ["prefix", "type", "tag", "show"] as const;

export function SecretList({ query }: { query: URLSearchParams }) {
  const { may } = useSession();
  const given = FILTER_KEYS.flatMap((key) => (query.has(key) ? [[key, query.get(key) ?? ""]] : []));
  const filter: Filter = Object.fromEntries(given);
  return (
    <Page
      title="Secrets"
      actions={
        may("secrets:write") && (
          <a class="button" href={hrefOf(["secrets", "new"])}>
            New secret
          </a>
        )
      }
    >
      {filter.show === undefined && <ExpiryNotice />}
      <Filters filter={filter} />
      {/* Another filter begins at its first page. */}
      <Results key={JSON.stringify(given)} filter={filter} />
    </Page>
  );
}

function hrefOfFilter(filter: Filter): string {
  return hrefOf(["secrets"], { ...filter });
}

/** Says how many expire soon, where there are any. */
function ExpiryNotice() {
  const { api } = useSession();
  const { value } = useLoaded(
    async (signal) => await listSecrets(api, { expiresBefore: SOON.time, limit: 1 }, signal),
    [api],
  );
  if (value === null || value.total === 0) return null;
  return (
    <p class="banner">
      <span>
        {countOf(value.total, "secret")} expired, or will within {SOON.text}.
      </span>{" "}
      <a href={hrefOfFilter({ show: "expiring" })}>Show</a>
    </p>
  );
}

function Filters({ filter }: { filter: Filter }) {
  const change = (part: Filter) => replaceRoute(hrefOfFilter({ ...filter, ...part }));
  return (
    <FilterForm>
      <FilterText label="Name begins with" value={filter.prefix ?? ""} onChange={(prefix) => change({ prefix })} />
      <label>
        Type
        <select value={filter.type ?? ""} onChange={(event) => change({ type: event.currentTarget.value })}>
          <option value="">All types</option>
          {TYPE_NAMES.map((type) => (
            <option key={type} value={type}>
              {TYPES[type].label}
            </option>
          ))}
        </select>
      </label>
      <FilterText label="Tag" value={filter.tag ?? ""} onChange={(tag) => change({ tag })} />
      <label>
        Show
        <select value={filter.show ?? ""} onChange={(event) => change({ show: event.currentTarget.value })}>
          <option value="">All in use</option>
          <option value="expiring">Expiring soon</option>
          <option value="deleted">Deleted</option>
        </select>
      </label>
    </FilterForm>
  );
}

function Results({ filter }: { filter: Filter }) {
  const { api } = useSession();
  const isDeleted = filter.show === "deleted";
  // Where the pages before this one begin, this one last.
  const [starts, setStarts] = useState<readonly (string | undefined)[]>([undefined]);
  const cursor = starts.at(-1);
  const { value, error, isLoading, reload } = useLoaded(
    async (signal) => {
      const { prefix, type, tag } = filter;
      const expiresBefore = filter.show === "expiring" ? SOON.time : undefined;
      const state = isDeleted ? "deleted" : undefined;
      return await listSecrets(api, { prefix, type, tag, expiresBefore, state, cursor, limit: PAGE_SIZE }, signal);
    },
    [api, cursor],
  );
  if (error !== null) return <ProblemMessage error={error} onRetry={reload} />;
  if (value === null) return <Loading />;
  if (value.secrets.length === 0 && starts.length === 1) return <NoSecrets filter={filter} />;
  const first = (starts.length - 1) * PAGE_SIZE + 1;
  const { next } = value;
  return (
    <>
      <DataTable
        caption={isDeleted ? "Deleted secrets" : "Secrets"}
        columns={isDeleted ? deletedColumns(reload) : COLUMNS}
        rows={value.secrets}
        keyOf={({ id }) => id}
        isBusy={isLoading}
      />
      <Pager
        summary={`${first} to ${first + value.secrets.length - 1} of ${countOf(value.total, "secret")}`}
        onPrevious={starts.length === 1 ? null : () => setStarts(starts.slice(0, -1))}
        onNext={next === null ? null : () => setStarts([...starts, next])}
      />
    </>
  );
}

function NoSecrets({ filter: { show, ...filter } }: { filter: Filter }) {
  const { may } = useSession();
  const isFiltered = Object.values(filter).some((text) => text !== undefined && text !== "");
  if (isFiltered) {
    return (
      <EmptyState title="No secret matches">
        <p>
          <a href={hrefOfFilter({ ...(show !== undefined && { show }) })}>Remove the filters</a>
        </p>
      </EmptyState>
    );
  }
  if (show === "deleted")
    return <EmptyState title="Nothing is deleted">A deleted secret can be restored for 30 days.</EmptyState>;
  if (show === "expiring") return <EmptyState title={`Nothing expires within ${SOON.text}`} />;
  return (
    <EmptyState title="No secrets yet">
      <p>Keep a password or a token here, and let workflows use it by its name: no file has it, and no log shows it.</p>
      {may("secrets:write") && (
        <p>
          <a class="button" href={hrefOf(["secrets", "new"])}>
            Store the first one
          </a>
        </p>
      )}
    </EmptyState>
  );
}

const COLUMNS: readonly Column<ApiSecret>[] = [
  {
    header: "Name",
    cell: ({ id, name, description }) => (
      <>
        <a href={hrefOf(["secrets", id])}>{name}</a>
        {description !== null && <span class="description">{description}</span>}
      </>
    ),
  },
  { header: "Type", cell: ({ type }) => TYPES[type].label, isWide: true },
  { header: "Tags", cell: ({ tags }) => <Tags tags={tags} />, isWide: true },
  { header: "Changed", cell: ({ updatedAt }) => <Time iso={updatedAt} />, isWide: true },
  { header: "Expires", cell: ({ expiresAt }) => <Expiry expiresAt={expiresAt} /> },
];

export function Tags({ tags }: { tags: readonly string[] }) {
  return (
    <>
      {tags.map((tag) => (
        <a key={tag} class="tag" href={hrefOfFilter({ tag })}>
          {tag}
        </a>
      ))}
    </>
  );
}

export function Expiry({ expiresAt }: Pick<ApiSecret, "expiresAt">) {
  if (expiresAt === null) return <span class="muted">never</span>;
  const left = Date.parse(expiresAt) - Date.now();
  const tone = left < 0 ? "bad" : left < SOON.ms ? "warn" : "plain";
  return (
    <Badge tone={tone}>
      {left < 0 && "expired "}
      <Time iso={expiresAt} />
    </Badge>
  );
}

function deletedColumns(onDone: () => void): readonly Column<ApiSecret>[] {
  return [
    { header: "Name", cell: ({ name }) => name },
    { header: "Type", cell: ({ type }) => TYPES[type].label, isWide: true },
    { header: "Deleted", cell: ({ deletedAt }) => deletedAt !== undefined && <Time iso={deletedAt} /> },
    { header: "Actions", cell: (secret) => <DeletedActions secret={secret} onDone={onDone} /> },
  ];
}

function DeletedActions({ secret: { id, name }, onDone }: { secret: ApiSecret; onDone: () => void }) {
  const { api, may, tell } = useSession();
  const [asked, setAsked] = useState<"restore" | "purge" | null>(null);
  if (!may("secrets:write")) return null;
  const close = () => setAsked(null);
  return (
    <div class="actions">
      <button
        type="button"
        class="secondary outline small"
        aria-label={`Restore ${name}`}
        onClick={() => setAsked("restore")}
      >
        Restore
      </button>
      <button
        type="button"
        class="secondary outline small"
        aria-label={`Remove ${name} for good`}
        onClick={() => setAsked("purge")}
      >
        Remove
      </button>
      {asked === "restore" && (
        <ConfirmDialog
          title={`Restore ${name}?`}
          action="Restore"
          onClose={close}
          onConfirm={async () => {
            await restoreSecret(api, id);
            tell(`${name} is back.`);
            close();
            onDone();
          }}
        >
          <p>It comes back with all its versions, and workflows can use it again.</p>
        </ConfirmDialog>
      )}
      {asked === "purge" && (
        <ConfirmDialog
          title={`Remove ${name} for good?`}
          action="Remove for good"
          isDangerous
          onClose={close}
          onConfirm={async () => {
            await purgeSecret(api, id);
            tell(`${name} is removed for good.`);
            close();
            onDone();
          }}
        >
          <p>Its values and all its versions are gone then. This cannot be undone.</p>
        </ConfirmDialog>
      )}
    </div>
  );
}
