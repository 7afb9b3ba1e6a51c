import type { Engine, Problem } from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import { AutokestraError } from "@autokestra/secrets-core";
import type { z } from "zod/v4";
import type * as schemas from "./runs-schemas.ts";
import type { WorkflowFile } from "./workflow-folder.ts";

/** One problem of a workflow, as clients see it. */
export type ToldProblem = z.output<typeof schemas.problemSchema>;

/** What is wrong with the workflows of a folder, beyond files that cannot be read: it is looked for when somebody asks. */
export interface WorkflowChecks {
  problemsOf(file: WorkflowFile): Promise<readonly ToldProblem[]>;
}

/** For how long the answer stays: secrets come and go, and lists are asked for again and again. */
const FRESH_MS = 2000;

interface KnownCheck {
  readonly parsed: WorkflowFile["parsed"];
  readonly problems: Promise<readonly ToldProblem[]>;
  checkedAt: number | null;
}

/** @param engine asks no source outside of this machine for it */
export function createWorkflowChecks(engine: Pick<Engine, "check">): WorkflowChecks {
  const known = new Map<string, KnownCheck>();
  let checking: Promise<unknown> = Promise.resolve();

  /** One at a time: a folder can have many, with plugins in processes of their own. */
  async function check(path: string): Promise<readonly ToldProblem[]> {
    const turn = checking.then(async () => await engine.check(path, { offline: true }));
    checking = turn.catch(() => undefined);
    try {
      return (await turn).problems.map(toldProblem);
    } catch (error) {
      return [error instanceof AutokestraError ? toldProblem(error) : UNCHECKED];
    }
  }

  return {
    async problemsOf({ parsed, problem }) {
      const path = parsed && workflowFile(parsed);
      // What is in use is an earlier version, which no file has.
      if (path === null || problem !== null) return [];
      const before = known.get(path);
      if (before?.parsed === parsed && isFresh(before)) return await before.problems;
      const one: KnownCheck = { parsed, problems: check(path), checkedAt: null };
      known.set(path, one);
      const problems = await one.problems;
      one.checkedAt = performance.now();
      return problems;
    },
  };
}

/** One that goes on is. */
function isFresh({ checkedAt }: KnownCheck): boolean {
  return checkedAt === null || performance.now() - checkedAt < FRESH_MS;
}

const UNCHECKED: ToldProblem = { severity: "error", code: "INTERNAL", message: "It cannot be checked" };

export function toldProblem({
  severity = "error",
  code,
  message,
  hint,
  position,
}: Pick<Problem, "code" | "message" | "hint"> & Partial<Pick<Problem, "severity" | "position">>): ToldProblem {
  return {
    severity,
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(position && { line: position.line, column: position.column }),
  };
}
