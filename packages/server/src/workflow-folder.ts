import { readdir, stat, watch } from "node:fs/promises";
import { join } from "node:path";
import { loadWorkflow, type ParsedWorkflow, WorkflowError } from "@autokestra/engine";
import { isWorkflowFile } from "@autokestra/engine/internal";
import { hasCode } from "@autokestra/secrets-core";

/** A file of the folder. */
export interface WorkflowFile {
  /** Its name in the folder. */
  readonly file: string;
  /** The last version that could be read; null where there was none. */
  readonly parsed: ParsedWorkflow | null;
  /** What is wrong with the file as it is now, with places; null if nothing is. */
  readonly problem: string | null;
}

/** The workflows of a folder, as they are now. */
export interface WorkflowFolder {
  /** All files, by their names. */
  files(): readonly WorkflowFile[];
  /** Null where no file that can be read has, or had, this id. */
  get(id: string): ParsedWorkflow | null;
  /** Reads what has changed. It happens by itself, too. */
  refresh(): Promise<void>;
  close(): void;
}

export interface WorkflowFolderOptions {
  readonly folder: string;
  /** Told what is wrong with a file that has changed: the version before stays. */
  readonly onProblem: (file: string, problem: string) => void;
  /** Told that something has changed since the folder was opened. */
  readonly onChange: () => void;
}

interface KnownFile extends WorkflowFile {
  /** Changes with the file. */
  readonly mark: string;
}

/** A change comes in several steps. */
const SETTLE_MS = 100;

/** File systems of other machines tell of no change. */
const LOOK_MS = 10_000;

/**
 * Reads the workflows of a folder, and again what changes there. Files in its subfolders are for `core/workflow.call`. Of two files with
 * one id, the first one by name has it.
 *
 * @throws what `readdir` throws, where there is no such folder
 */
export async function openWorkflowFolder(options: WorkflowFolderOptions): Promise<WorkflowFolder> {
  const { folder, onProblem, onChange } = options;
  const closing = new AbortController();
  let known: ReadonlyMap<string, KnownFile> = new Map();
  let reading = Promise.resolve();
  let isOpen = false;

  async function readAll(): Promise<void> {
    const names = (await readdir(folder)).filter(isWorkflowFile).sort();
    const read: KnownFile[] = [];
    const ids = new Map<string, string>();
    for (const name of names) {
      const file = await readFile(join(folder, name), name, known.get(name));
      const owner = file.parsed && ids.get(file.parsed.workflow.id);
      if (file.parsed !== null && owner === undefined) ids.set(file.parsed.workflow.id, name);
      read.push(
        owner == null
          ? file
          : { ...file, parsed: null, problem: `its id '${file.parsed?.workflow.id}' is that of ${owner}` },
      );
    }
    const before = known;
    known = new Map(read.map((file) => [file.file, file]));
    const changed = read.filter(
      ({ file, mark, problem }) => before.get(file)?.mark !== mark || before.get(file)?.problem !== problem,
    );
    for (const { file, problem } of changed) if (problem !== null) onProblem(file, problem);
    if (isOpen && (changed.length > 0 || before.size !== known.size)) onChange();
  }

  const refresh = async () => {
    reading = reading.then(readAll, readAll);
    await reading;
  };

  let timer: NodeJS.Timeout | undefined;
  function refreshSoon(ms: number): void {
    clearTimeout(timer);
    // A folder that is gone for a moment changes nothing: workflows stay as they were.
    timer = setTimeout(
      () =>
        void refresh()
          .catch(() => undefined)
          .finally(() => refreshSoon(LOOK_MS)),
      ms,
    );
    timer.unref();
    if (closing.signal.aborted) clearTimeout(timer);
  }

  async function watchFolder(): Promise<void> {
    try {
      for await (const _ of watch(folder, { signal: closing.signal, persistent: false })) refreshSoon(SETTLE_MS);
    } catch {
      // It is closed, or cannot be watched: it is looked at now and then.
    }
  }

  await refresh();
  isOpen = true;
  void watchFolder();
  refreshSoon(LOOK_MS);
  return {
    files: () => [...known.values()],
    get: (id) => [...known.values()].find(({ parsed }) => parsed?.workflow.id === id)?.parsed ?? null,
    refresh,
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

/** What has not changed is not read again. What cannot be read keeps the version before. */
async function readFile(path: string, file: string, before: KnownFile | undefined): Promise<KnownFile> {
  const mark = await markOf(path);
  if (before !== undefined && before.mark === mark && before.problem === null) return before;
  try {
    return { file, parsed: await loadWorkflow(path), problem: null, mark };
  } catch (error) {
    return { file, parsed: before?.parsed ?? null, problem: problemOf(error, file), mark };
  }
}

async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "none";
  }
}

/** With the places of the file, and without its lines: more people read the log of a server than its workflows. */
function problemOf(error: unknown, file: string): string {
  if (error instanceof WorkflowError) return error.formatPlaces(file);
  return hasCode(error, "WORKFLOW_NOT_FOUND") || hasCode(error, "WORKFLOW_INVALID")
    ? error.message
    : "it cannot be read";
}
