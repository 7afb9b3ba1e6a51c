/** @import { ChildProcessWithoutNullStreams } from "node:child_process" */

/**
 * Gives a process its standard input, and waits for all that it prints and for its end.
 *
 * @param {ChildProcessWithoutNullStreams} child
 * @param {string} input
 * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>}
 */
export async function outcomeOf(child, input) {
  // It may end before it has read all.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const status = await new Promise((resolve) => child.on("close", resolve));
  return { status, stdout, stderr };
}
