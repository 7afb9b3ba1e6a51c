import type { ApiRun, ApiStartedRun } from "@autokestra/server/answers";
import { useState } from "preact/hooks";
import { pathOf } from "../api.ts";
import { ConfirmDialog } from "../components/dialog.tsx";
import { useSession } from "../hooks.ts";
import { hrefOf, navigate } from "../router.ts";
import { isGoingOn } from "./states.tsx";

type Action = "cancel" | "resume" | "rerun";

interface RunActionsProps {
  readonly run: ApiRun;
  /** The task that is looked at; null for none. */
  readonly task: string | null;
  /** Called when the run continues or ends. */
  readonly onChange: () => void;
}

/** What can be done with the run as it is now, and with this token. */
export function RunActions({ run, task, onChange }: RunActionsProps) {
  const { may } = useSession();
  const [asked, setAsked] = useState<Action | null>(null);
  if (!may("runs:start")) return null;
  const { status } = run;
  const canResume = status === "lost" || status === "failed" || status === "cancelled";
  return (
    <>
      {(isGoingOn(run) || status === "unknown") && (
        <button type="button" class="danger" onClick={() => setAsked("cancel")}>
          Cancel run
        </button>
      )}
      {canResume && (
        <button type="button" onClick={() => setAsked("resume")}>
          Resume
        </button>
      )}
      {!isGoingOn(run) && (
        <button type="button" class={canResume ? "secondary outline" : ""} onClick={() => setAsked("rerun")}>
          Run again
        </button>
      )}
      {asked !== null && (
        <ActionDialog action={asked} run={run} task={task} onChange={onChange} onClose={() => setAsked(null)} />
      )}
    </>
  );
}

interface ActionDialogProps extends RunActionsProps {
  readonly action: Action;
  readonly onClose: () => void;
}

function ActionDialog({ action, run: { execution }, task, onChange, onClose }: ActionDialogProps) {
  const { api, tell } = useSession();
  // An item or a task of a called workflow is nothing to begin with.
  const start = task !== null && !task.includes("/") ? task : null;
  const [from, setFrom] = useState<string | null>(null);

  async function post(body: object): Promise<ApiStartedRun> {
    return (await api.call<ApiStartedRun>("POST", pathOf`/runs/${execution}/${action}`, { body })).body;
  }

  async function confirm(): Promise<void> {
    const started = await post(from === null ? {} : { from });
    onClose();
    if (action === "rerun") {
      tell("Started a new run.");
      navigate(hrefOf(["runs", started.execution]));
    } else {
      tell(action === "cancel" ? "The run is being cancelled." : "The run goes on.");
      onChange();
    }
  }

  const { title, button, text } = QUESTIONS[action];
  return (
    <ConfirmDialog
      title={title}
      action={button}
      isDangerous={action === "cancel"}
      wayBack={action === "cancel" ? "Let it go on" : "Cancel"}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>{text}</p>
      {action === "rerun" && start !== null && (
        <fieldset>
          <legend class="visually-hidden">Where to begin</legend>
          <label>
            <input type="radio" name="from" checked={from === null} onChange={() => setFrom(null)} />
            All tasks
          </label>
          <label>
            <input type="radio" name="from" checked={from !== null} onChange={() => setFrom(start)} />
            <span>
              From <strong>{start}</strong> on, with the results of those before it
            </span>
          </label>
        </fieldset>
      )}
    </ConfirmDialog>
  );
}

const QUESTIONS: Readonly<Record<Action, { title: string; button: string; text: string }>> = {
  cancel: {
    title: "Cancel this run?",
    button: "Cancel run",
    text: "Tasks that are running are stopped, others do not start, and credentials created for the run are revoked. You can resume it later.",
  },
  resume: {
    title: "Resume this run?",
    button: "Resume",
    text: "It goes on after the last task that has finished, with the same inputs. Tasks that have failed run again.",
  },
  rerun: {
    title: "Run this again?",
    button: "Run again",
    text: "A new run starts with the same inputs. Secrets have the values that they have now.",
  },
};
