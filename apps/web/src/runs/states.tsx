import type { ApiRun } from "@autokestra/server/answers";
import { Badge, type Tone } from "../components/messages.tsx";

interface StateLook {
  readonly text: string;
  readonly tone: Tone;
  /** Beside the text, so that one finds it without colours. */
  readonly sign: string;
}

export type RunState = ApiRun["status"];

/** `waiting`: it starts later; `idle`: it did not start, and will not. */
export type TaskStatus = "waiting" | "running" | "success" | "failed" | "skipped" | "cancelled" | "idle";

const LOOKS: Readonly<Record<RunState | TaskStatus, StateLook>> = {
  queued: { text: "Waiting", tone: "plain", sign: "◌" },
  waiting: { text: "Waiting", tone: "plain", sign: "◌" },
  running: { text: "Running", tone: "busy", sign: "●" },
  success: { text: "Succeeded", tone: "good", sign: "✓" },
  failed: { text: "Failed", tone: "bad", sign: "✕" },
  cancelled: { text: "Cancelled", tone: "warn", sign: "■" },
  skipped: { text: "Skipped", tone: "plain", sign: "↷" },
  lost: { text: "Lost", tone: "bad", sign: "?" },
  unknown: { text: "Unknown", tone: "warn", sign: "?" },
  idle: { text: "Not run", tone: "plain", sign: "–" },
};

export function lookOf(state: RunState | TaskStatus): StateLook {
  return LOOKS[state];
}

export function StateBadge({ state }: { state: RunState | TaskStatus }) {
  const { text, tone, sign } = LOOKS[state];
  return (
    <Badge tone={tone}>
      <span aria-hidden="true">{sign}</span> {text}
    </Badge>
  );
}

/** Whether more is to come of a run. */
export function isGoingOn({ status }: Pick<ApiRun, "status">): boolean {
  return status === "queued" || status === "running";
}

const CANCELLED_BY: Readonly<Record<NonNullable<ApiRun["cancelledBy"]>, string>> = {
  user: "Somebody cancelled it.",
  timeout: "It took longer than its workflow allows.",
  shutdown: "The server was shut down. Resume it to go on.",
  superseded: "A newer run of its group took its place.",
};

const EXPLANATIONS: Partial<Record<RunState, string>> = {
  queued: "It starts when there is room for another run, or when the run before it in its group has ended.",
  lost: "Its process ended before the run did, as after a crash. Resume it: tasks that had finished do not run again.",
  unknown: "Nothing is known of the process that runs it: it may be on another machine.",
};

/** Why a run is in its state; null where the word says it all. */
export function explainState({ status, cancelledBy }: ApiRun): string | null {
  return cancelledBy === null ? (EXPLANATIONS[status] ?? null) : CANCELLED_BY[cancelledBy];
}
