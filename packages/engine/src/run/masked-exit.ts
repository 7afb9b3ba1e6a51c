import type { SecretMasker } from "@autokestra/secrets-core";
import type { LogEvent, RunFinished, RunSink } from "./run-event.ts";
import { toJson } from "./to-json.ts";

/** The one way out of a run: every event passes the masker, whatever sink comes behind. */
export interface MaskedExit {
  log(event: LogEvent): void;
  /** From now on nothing gets out. */
  close(): void;
  /** The last event. After it nothing gets out: a plugin's late log line would find the masker empty. */
  finish(event: Omit<RunFinished, "masked">): RunFinished;
}

/**
 * What comes from outside is masked whole, and is what JSON can hold afterwards. What the engine itself wrote (time, level, event, ids, counts) stays as it is: these
 * are words and numbers that a short secret could equal.
 */
export function createMaskedExit(masker: SecretMasker, sink: RunSink): MaskedExit {
  let open = true;
  return {
    log(event) {
      if (!open) return;
      const data = event.data === undefined ? {} : { data: toJson(masker.maskValue(event.data)) };
      const masked = { ...event, message: masker.mask(event.message), ...data };
      try {
        sink(masked);
      } catch (error) {
        // The run ends here, and with it the masker: what still comes would get out as it is.
        open = false;
        throw error;
      }
    },
    close() {
      open = false;
    },
    finish(event) {
      open = false;
      const tasks = Object.entries(event.tasks).map(([id, { status, output, error }]) => [
        id,
        {
          status,
          ...(output === undefined ? {} : { output: toJson(masker.maskValue(output)) }),
          ...(error === undefined
            ? {}
            : { error: { name: masker.mask(error.name), message: masker.mask(error.message) } }),
        },
      ]);
      const finished: RunFinished = { ...event, tasks: Object.fromEntries(tasks), masked: masker.report() };
      sink(finished);
      return finished;
    },
  };
}
