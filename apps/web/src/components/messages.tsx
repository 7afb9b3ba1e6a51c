import type { ComponentChildren, VNode } from "preact";
import type { ApiError } from "../api.ts";
import type { Loaded } from "../hooks.ts";
import { formatDistance, formatTime } from "./format.ts";

/** The error message of the server, if there is one. */
export function ProblemMessage({ error, onRetry }: { error: ApiError | null; onRetry?: () => void }) {
  if (error === null) return null;
  return (
    <div class="problem" role="alert">
      <p>{error.message}</p>
      {error.requestId !== null && error.status >= 500 && (
        <p class="fine">
          The log of the server has more, under the request <code>{error.requestId}</code>.
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" class="secondary small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What a list says that has nothing in it: why, and what to do. */
export function EmptyState({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <p class="loading" aria-busy="true">
      Loading…
    </p>
  );
}

/** What was loaded, once it is there. */
export function Shown<T>({ loaded, children }: { loaded: Loaded<T>; children: (value: T) => VNode }) {
  const { value, error, reload } = loaded;
  if (error !== null) return <ProblemMessage error={error} onRetry={reload} />;
  return value === null ? <Loading /> : children(value);
}

/** A point in time as people say it; all of it when one points at it. */
export function Time({ iso, isRelative = true }: { iso: string; isRelative?: boolean }) {
  return (
    <time dateTime={iso} title={formatTime(iso)}>
      {isRelative ? formatDistance(iso) : formatTime(iso)}
    </time>
  );
}

/** A short word about the state of something. */
export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export type Tone = "plain" | "good" | "warn" | "bad" | "busy";
