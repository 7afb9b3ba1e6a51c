import { confirm, isCancel, password } from "@clack/prompts";
import { EXIT } from "./exit-code.ts";

/** Asks for a value, which is not shown. Only where standard input is a terminal. Ctrl-C ends the process. */
export async function askSecret(message: string): Promise<string> {
  const answer = await password({ message, mask: "", output: process.stderr });
  return isCancel(answer) ? interrupted() : answer;
}

/** Asks yes or no; Enter is no. */
export async function confirmOrExit(message: string): Promise<boolean> {
  const answer = await confirm({ message, initialValue: false, output: process.stderr });
  return isCancel(answer) ? interrupted() : answer;
}

function interrupted(): never {
  process.exit(EXIT.interrupted);
}
