import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import type { openWorkflowFolder, RunService, WorkflowFolder } from "@autokestra/server/runs";

interface FolderParts {
  readonly openWorkflowFolder: typeof openWorkflowFolder;
  readonly runs: Pick<RunService, "schedule">;
  readonly warn: (text: string) => void;
}

/** Another folder that is open, or the same one. Call one of the two functions. */
export interface FolderChange {
  readonly workflows: WorkflowFolder;
  accept(): Promise<void>;
  discard(): void;
}

/** The folder whose workflows are served, and run at their times. */
export class ServedFolder {
  readonly #parts: FolderParts;
  #path: string;
  #workflows: WorkflowFolder;

  private constructor(path: string, workflows: WorkflowFolder, parts: FolderParts) {
    this.#path = path;
    this.#workflows = workflows;
    this.#parts = parts;
  }

  /** @throws AutokestraError `OPTION_INVALID` */
  static async open(path: string, parts: FolderParts): Promise<ServedFolder> {
    let served: ServedFolder | undefined;
    const workflows = await openFolder(path, parts, (changed) => served?.scheduleAgain(changed));
    served = new ServedFolder(path, workflows, parts);
    return served;
  }

  get workflows(): WorkflowFolder {
    return this.#workflows;
  }

  /** @param path undefined: the same as now @throws AutokestraError `OPTION_INVALID` */
  async prepare(path: string = this.#path): Promise<FolderChange> {
    const before = this.#workflows;
    if (path === this.#path) return { workflows: before, accept: async () => undefined, discard: () => undefined };
    const workflows = await openFolder(path, this.#parts, (changed) => this.scheduleAgain(changed));
    return {
      workflows,
      accept: async () => {
        this.#path = path;
        this.#workflows = workflows;
        before.close();
        await this.#schedule();
      },
      discard: () => workflows.close(),
    };
  }

  /** Its files have changed. */
  scheduleAgain(changed: WorkflowFolder): void {
    if (changed === this.#workflows) void this.#schedule();
  }

  async #schedule(): Promise<void> {
    const { runs, warn } = this.#parts;
    await runs
      .schedule(this.#workflows)
      .catch(() => warn("the schedules were not updated: the workflows cannot be read"));
  }
}

async function openFolder(
  folder: string,
  { openWorkflowFolder, warn }: FolderParts,
  onChange: (changed: WorkflowFolder) => void,
): Promise<WorkflowFolder> {
  const opened = await openWorkflowFolder({
    folder,
    onProblem: (file, problem) => warn(`workflow file ${file} cannot be used: ${problem}`),
    onChange: () => onChange(opened),
  }).catch((error: unknown) => {
    throw cannotRead(folder, error);
  });
  return opened;
}

function cannotRead(folder: string, error: unknown): AutokestraError {
  const code = errorCode(error) || "unknown error";
  const why = code === "ENOENT" ? `does not exist: ${folder}` : `cannot be read: ${folder} (${code})`;
  return new AutokestraError("OPTION_INVALID", `The folder of the workflows ${why}`);
}
