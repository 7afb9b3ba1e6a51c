import { confirm, isCancel, password } from "@clack/prompts";
import { EXIT } from "./exit-code.ts";

/** How Node ends where a promise is still awaited and nothing can settle it. */
const UNANSWERED = 13;

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

/** Ctrl-D closes the input under the prompt, which then never answers: Node would end with 13 and leave the cursor hidden. */
process.once("exit", (code) => {
  if (code !== UNANSWERED) return;
  process.stderr.write("\u001b[?25h\n");
  process.exitCode = EXIT.interrupted;
});

function interrupted(): never {
  process.exit(EXIT.interrupted);
}
