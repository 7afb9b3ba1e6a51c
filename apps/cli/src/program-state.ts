/** What a program leaves behind. */
export interface ProgramState {
  /** The exit code of a command that fails without an error. */
  exitCode: number;
  /** What commander says of wrong use. */
  help: string;
  /** The command that runs, such as `secrets set`; empty before one does. */
  command: string;
}
