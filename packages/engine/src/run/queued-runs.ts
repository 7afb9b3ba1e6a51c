import type { ClaimedRequest, KeptKeys, KeptPlace, QueuedRuns, QueuedStart } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";

const PLACE: KeptPlace = { kind: "queued", task: "", attempt: 1 };

/**
 * The runs that wait, each with the text that it is started with: encrypted, because it has inputs. So has a request: only a mark of it is
 * stored.
 *
 * @param keys null: nothing is kept
 * @param mark null where there is no key: then a request counts as none, and its run has the other key
 */
export function encryptQueuedRuns(
  stored: QueuedRuns,
  keys: KeptKeys | null,
  mark: (text: string) => Promise<string | null>,
): QueuedRuns<string> {
  async function marked(request: ClaimedRequest | undefined): Promise<ClaimedRequest | undefined> {
    const content = request === undefined ? null : await mark(request.content);
    return request === undefined || content === null ? undefined : { ...request, content };
  }

  async function cipherOf(id: string, keyId?: string) {
    try {
      return (await keys?.forRun(id, keyId)) ?? null;
    } catch (error) {
      // The run is accepted all the same, but cannot be resumed if its process is lost.
      if (error instanceof AutokestraError) return null;
      throw error;
    }
  }

  async function encrypt(id: string, text: string | null): Promise<QueuedStart | null> {
    if (text === null) return null;
    const cipher = await cipherOf(id);
    return cipher && { keyId: cipher.keyId, bytes: cipher.encrypt(PLACE, text) };
  }

  async function decrypt(id: string, start: QueuedStart | null): Promise<string | null> {
    if (start === null) return null;
    return (await cipherOf(id, start.keyId))?.decrypt(PLACE, start.bytes) ?? null;
  }

  return {
    ...stored,
    add: async (run, key, request) =>
      await stored.add({ ...run, start: await encrypt(run.id, run.start) }, key, await marked(request)),
    async takeLost(limit) {
      const taken = (await stored.takeLost(limit)).map(async (run) => ({
        ...run,
        start: await decrypt(run.id, run.start),
      }));
      return await Promise.all(taken);
    },
  };
}
