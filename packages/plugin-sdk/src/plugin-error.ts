/** The input of a task does not fit the action. The message names paths and what was expected, never what was given. */
export class PluginInputError extends Error {
  override readonly name = "PluginInputError";

  constructor(problem: string) {
    super(`Invalid input: ${problem}`);
  }
}

/** An action has returned something else than its output schema promises. That is a defect of the plugin. */
export class PluginOutputError extends Error {
  override readonly name = "PluginOutputError";

  constructor(problem: string) {
    super(`Invalid output: ${problem}`);
  }
}
