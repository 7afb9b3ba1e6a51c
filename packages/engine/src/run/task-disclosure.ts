import type { MaskFunction, PrintFunction } from "@autokestra/plugin-sdk";
import { textsToMask } from "@autokestra/plugin-sdk/host";
import type { LogLevel } from "@autokestra/runs";
import { plural } from "@autokestra/secrets-core/internal";
import type { Task } from "../workflow/workflow.ts";
import type { RunMasks } from "./masks.ts";
import type { RunOutput } from "./process-output.ts";
import type { RedactingSink } from "./redacting-sink.ts";
import { maskCutText } from "./redacting-sink.ts";
import type { RunLog } from "./run-log.ts";
import { findSecretOutputs } from "./secret-values.ts";
import type { TaskFailure } from "./task-failure.ts";
import { withholdMessage } from "./task-failure.ts";
import { createLineLog, createTaskOutput, type LineLog } from "./task-output.ts";

/** Everything that one attempt can show. */
export interface AttemptDisclosure {
  readonly log: TaskLog;
  /** Masks a value for the action. */
  readonly mask: MaskFunction;
  /** Shows what a program prints, as log lines. */
  readonly print: PrintFunction;
  /** Calls the action. What it prints counts as output of the task. */
  run<T>(action: () => T): T;
}

/** What all tasks of a run share. */
export interface RunDisclosure {
  readonly sink: RedactingSink;
  readonly log: RunLog;
  readonly masks: RunMasks;
  /** Those with a printed line that is not complete yet. */
  readonly disclosures: Set<TaskDisclosure>;
  /** Null if printed output is not masked. */
  readonly output: RunOutput | null;
  /** Whether output that a task prints becomes log lines. */
  readonly logsPrints: boolean;
  /** The names of the declared secrets. An action cannot use them for values that it masks. */
  readonly declared: readonly string[];
}

/** What counts of a task here. */
export type DisclosedTask = Pick<Task, "id" | "secretOutputs">;

type TaskLog = (level: LogLevel, message: string, data?: Readonly<Record<string, unknown>>) => void;

/** The shortest beginning of a value to hide before a cut in the message of a failure. */
const SHORTEST_BEGINNING = 4;

/** Decides what a task may show, and when. */
export class TaskDisclosure {
  readonly #task: DisclosedTask;
  readonly #run: RunDisclosure;
  /** The paths of secrets in its output. If there are any, everything it shows is held until its output is known. */
  readonly #paths: readonly string[];
  readonly #lines: LineLog;
  #attempts = 0;

  /**
   * @param task with its name in the run as its id
   * @param secretOutputs the paths of secrets that the action declares for its output
   */
  constructor(task: DisclosedTask, secretOutputs: readonly string[], run: RunDisclosure) {
    this.#task = task;
    this.#run = run;
    this.#paths = [...new Set([...(task.secretOutputs ?? []), ...secretOutputs])];
    const { masks, log, output } = run;
    const lines = createLineLog(
      () => {
        const stream = masks.stream();
        return {
          ...stream,
          push: (bytes) => masks.count(task.id, () => stream.push(bytes)),
          flush: () => masks.count(task.id, () => stream.flush()),
        };
      },
      (stream, line) => {
        const level = stream === "stdout" ? "info" : "warn";
        log.taskLog(task.id, level, output?.mask(line) ?? line, { stream });
      },
    );
    // Only from a line on: a run may have millions of tasks, and most of them print nothing.
    this.#lines = {
      push: (stream, bytes) => {
        run.disclosures.add(this);
        lines.push(stream, bytes);
      },
      end: () => {
        run.disclosures.delete(this);
        lines.end();
      },
    };
  }

  /** Begins another attempt. Late output of earlier ones is dropped if it would have to be held. */
  attempt(): AttemptDisclosure {
    const { sink, log: runLog, output, logsPrints } = this.#run;
    const { id } = this.#task;
    this.#attempts += 1;
    const number = this.#attempts;
    const isHidden = () => this.#holds && number !== this.#attempts;
    if (this.#holds) sink.hold(id);
    const printer = createTaskOutput({
      name: id,
      isHidden,
      held: () => sink.held(id),
      lines: () => (logsPrints && sink.isOpen() ? this.#lines : null),
    });
    return {
      log(level, message, data) {
        if (!isHidden()) runLog.taskLog(id, level, message, data);
      },
      mask: (value, name) => this.#mask(value, name),
      print: (stream, bytes) => {
        if (isHidden() || !sink.isOpen()) return;
        // Copied, because an action may use its buffer again.
        const copy = Uint8Array.from(bytes);
        const show = () => this.#lines.push(stream, copy);
        const held = sink.held(id);
        if (held === undefined) show();
        else held.hold(copy.length, show);
      },
      run: (action) => (output === null ? action() : output.inTask(printer, action)),
    };
  }

  /** Returns a failure without what may be secret in it. */
  disclose(failure: TaskFailure): TaskFailure {
    if (this.#holds) return withholdMessage(failure);
    const { masks } = this.#run;
    const mask = () => maskCutText(failure.message, masks, SHORTEST_BEGINNING);
    return { ...failure, message: masks.count(this.#task.id, mask) };
  }

  /** Drops what is held, because the attempt failed. */
  failed(): void {
    this.#attempts += 1;
    const bytes = this.#run.sink.drop(this.#task.id);
    this.#warnOfLoss(bytes, "it failed, and without its output nobody knows what in them is secret");
  }

  /** Masks the secrets in the output, then shows what was held. */
  succeeded(output: unknown): void {
    const { id, secretOutputs = [] } = this.#task;
    const { sink, log } = this.#run;
    for (const { path, isThere, texts } of findSecretOutputs(this.#paths, output)) {
      this.#add(`tasks.${id}.output.${path}`, texts);
      if (isThere || !secretOutputs.includes(path)) continue;
      log.warning(`The output of task '${id}' has no '${path}': nothing there is masked`);
    }
    this.#warnOfLoss(sink.release(id), "no more than 1 MiB is held until its output is there");
  }

  /** Shows an incomplete line that the task printed. */
  end(): void {
    this.#lines.end();
  }

  get #holds(): boolean {
    return this.#paths.length > 0;
  }

  #mask(value: unknown, given: string | undefined): void {
    const texts = textsToMask(value, given);
    const name = given ?? `tasks.${this.#task.id}`;
    this.#add(this.#run.declared.includes(name) ? `tasks.${this.#task.id}.${name}` : name, texts);
  }

  #add(name: string, texts: readonly string[]): void {
    this.#run.masks.add(texts.map((value) => ({ name, value })));
    warnOfUnmaskable(this.#run.masks, this.#run.log);
  }

  #warnOfLoss(bytes: number, why: string): void {
    if (bytes === 0) return;
    const lost = plural(bytes, "byte");
    this.#run.log.warning(`${lost} that task '${this.#task.id}' has logged or printed are not shown: ${why}`);
  }
}

/** Describes what a name in the report stands for. */
function describeName(name: string): string {
  if (name.startsWith("inputs.")) return `Input '${name.slice("inputs.".length)}'`;
  return name.includes(".") ? name : `Secret '${name}'`;
}

/** Warns once for each name that has a value that cannot be masked. */
export function warnOfUnmaskable(masks: RunMasks, log: RunLog): void {
  for (const name of masks.takeUnmaskable()) {
    log.warning(`${describeName(name)} has a value that is too short or too common to be masked`);
  }
}
