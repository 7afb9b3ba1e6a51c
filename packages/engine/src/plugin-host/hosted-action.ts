import { type Action, type ActionContext, describeIssues, z } from "@autokestra/plugin-sdk";
import type { ActionDescription } from "@autokestra/plugin-sdk/host";
import type { ReportedIssues } from "./plugin-process.ts";

/** Calls the actions of a plugin in its process. */
export interface ActionCaller {
  check(type: string, input: unknown): Promise<ReportedIssues>;
  run(type: string, input: unknown, context: ActionContext): Promise<unknown>;
}

/** An action that runs in a process of its own, where its schemas are, too. */
export class HostedAction implements Action {
  /** The process checks the input. */
  readonly input: z.ZodType = z.unknown();
  /** Its process is killed soon after the signal. */
  readonly endsOnSignal = true;
  /** The JSON Schema of its input; null if it has none. */
  readonly inputSchema: Readonly<Record<string, unknown>> | null;
  readonly description: string;
  readonly textInputs: (inputs: Readonly<Record<string, unknown>>) => readonly string[];
  readonly shownInputs: readonly string[];
  readonly literalInputs: readonly string[];
  readonly secretOutputs: readonly string[];
  /** Its process would have to be asked about each path, so that every output of such an action counts as secret in conditions. */
  readonly isSecretOutput: () => boolean;
  readonly #type: string;
  readonly #caller: ActionCaller;

  /** @param textInputs the answers of the action for the inputs of tasks, by these as JSON */
  constructor(described: ActionDescription, textInputs: ReadonlyMap<string, readonly string[]>, caller: ActionCaller) {
    const { type, input, description = "", shownInputs = [], literalInputs = [], secretOutputs = [] } = described;
    this.#type = type;
    this.#caller = caller;
    this.inputSchema = input;
    this.description = description;
    this.textInputs = (inputs) => described.textInputs ?? textInputs.get(JSON.stringify(inputs)) ?? [];
    this.shownInputs = shownInputs;
    this.literalInputs = literalInputs;
    this.secretOutputs = secretOutputs;
    this.isSecretOutput = () => described.decidesSecretOutputs;
  }

  /** Returns what is wrong with an input. */
  async check(input: unknown): Promise<readonly z.core.$ZodIssue[]> {
    const issues = (await this.#caller.check(this.#type, input)) as unknown as readonly z.core.$ZodIssue[];
    try {
      // A plugin can report anything. What cannot be described is none.
      describeIssues(issues);
      return issues;
    } catch {
      return [];
    }
  }

  async run(input: unknown, context: ActionContext): Promise<unknown> {
    return await this.#caller.run(this.#type, input, context);
  }
}
