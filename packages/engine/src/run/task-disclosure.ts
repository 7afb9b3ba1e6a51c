import type { MaskFunction } from "@autokestra/plugin-sdk";
import { plural } from "@autokestra/secrets-core";
import type { MaskedExit } from "./masked-exit.ts";
import type { ReadyTask } from "./prepare-run.ts";
import type { RunOutput } from "./process-output.ts";
import type { RunJournal } from "./run-journal.ts";
import type { RunMasks } from "./run-masks.ts";
import { findSecretOutputs } from "./secret-outputs.ts";
import { secretTexts } from "./secret-texts.ts";
import { createLineLog, createTaskPrinter } from "./task-printer.ts";
import { withholdMessage } from "./withheld-error.ts";

/** What a task may show, and when. */
export interface TaskDisclosure {
  /** Masks a value that the action names. */
  readonly mask: MaskFunction;
  /** Does the task's work: what is printed in it is the task's. */
  inTask<T>(work: () => T): T;
  /** What may be told of an error that the action has thrown. */
  readonly disclose: (thrown: unknown) => unknown;
  /** An attempt has failed: what it has shown, and is held, is forgotten. */
  failed(): void;
  /** Masks what is secret in the output, then shows what was held. */
  succeeded(output: unknown): void;
  /** What the task has printed without a line end is told. */
  end(): void;
}

/** What all tasks of a run share. */
export interface RunDisclosure {
  readonly exit: MaskedExit;
  readonly journal: RunJournal;
  readonly masks: RunMasks;
  /** Null where what the process prints is not masked. */
  readonly output: RunOutput | null;
  /** True where what a task prints becomes log lines. */
  readonly logsPrints: boolean;
  /** Names of the secrets that the workflow declares: no action can take one for what it masks. */
  readonly declared: readonly string[];
}

const VALUE_NAME = /^[A-Za-z0-9_.-]{1,600}$/;

export function createTaskDisclosure(task: ReadyTask, run: RunDisclosure): TaskDisclosure {
  const { exit, journal, masks, output, logsPrints, declared } = run;
  const own = task.secretOutputs ?? [];
  const paths = [...new Set([...own, ...(task.action.secretOutputs ?? [])])];
  const lines = createLineLog(
    () => masks.stream(),
    (stream, line) => {
      journal.taskLog(task.id, stream === "stdout" ? "info" : "warn", output?.mask(line) ?? line, { stream });
    },
  );
  const printer = createTaskPrinter(
    () => exit.held(task.id),
    () => (logsPrints && exit.isOpen() ? lines : null),
  );

  function hold(): void {
    if (paths.length > 0) exit.hold(task.id);
  }

  function add(name: string, texts: readonly string[]): void {
    masks.add(texts.map((value) => ({ name, value })));
    warnOfUnmaskable(masks, journal);
  }

  return {
    mask(value, name = `tasks.${task.id}`) {
      const texts = secretTexts(value);
      if (texts.length === 0)
        throw new TypeError("A value to mask must be a text, a number, or an object or list of these");
      if (!VALUE_NAME.test(name)) {
        throw new TypeError("The name of a value to mask must be of letters, digits, underscores, hyphens and dots");
      }
      add(declared.includes(name) ? `tasks.${task.id}.${name}` : name, texts);
    },
    inTask(work) {
      hold();
      return output === null ? work() : output.inTask(printer, work);
    },
    disclose: (thrown) => (paths.length > 0 ? withholdMessage(thrown) : thrown),
    failed() {
      const bytes = exit.drop(task.id);
      if (bytes > 0)
        journal.warning(
          `${plural(bytes, "byte")} that task '${task.id}' has logged or printed are not shown: it failed, and without its output nobody knows what in them is secret`,
        );
      hold();
    },
    succeeded(result) {
      for (const { path, isThere, texts } of findSecretOutputs(paths, result)) {
        add(`tasks.${task.id}.output.${path}`, texts);
        if (!isThere && own.includes(path)) {
          journal.warning(`The output of task '${task.id}' has no '${path}': nothing there is masked`);
        }
      }
      const bytes = exit.release(task.id);
      if (bytes > 0)
        journal.warning(
          `${plural(bytes, "byte")} that task '${task.id}' has logged or printed are not shown: no more than 1 MiB is held until its output is there`,
        );
    },
    end: () => lines.end(),
  };
}

/** Says once of each name that a value of it is shown. */
export function warnOfUnmaskable(masks: RunMasks, journal: RunJournal): void {
  for (const name of masks.takeUnmaskable()) {
    const what = name.includes(".") ? name : `Secret '${name}'`;
    journal.warning(`${what} has a value that is too short or too common to be masked`);
  }
}
