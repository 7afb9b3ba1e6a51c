/** What a program leaves behind: the exit code of a command that fails without an error, and what commander says of wrong use. */
export interface ProgramState {
  exitCode: number;
  help: string;
}
