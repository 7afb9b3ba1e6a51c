import type { ChildProcess } from "node:child_process";
import type { Sandbox } from "./run-cli.ts";

/** A server that answers. */
export interface Served {
  readonly child: ChildProcess;
  readonly address: string;
  /** Ends it, and waits for its end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<{ code: number | null; stderr: string }>;
}

/** Starts `autokestra serve` on a free port, and waits for its line. @throws with what it says if it ends before */
export async function serve(box: Sandbox, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Served> {
  const { child, ended } = box.start(["serve", "--port", "0", ...args], { env });
  const address = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stderr?.on("data", (data) => {
      text += String(data);
      const [, found] = /autokestra is ready on (\S+)\n/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  return {
    child,
    address,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return await ended;
    },
  };
}
