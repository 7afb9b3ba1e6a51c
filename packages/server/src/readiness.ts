/** A part of the server that must work for it to be ready. */
export interface ReadinessCheck {
  readonly part: string;
  /** @throws where it does not work */
  readonly check: () => Promise<void>;
}

export interface CheckedPart {
  readonly part: string;
  readonly status: "ok" | "failed";
}

/** How long a check may take, and how long its result holds. Anybody may ask: providers have limits of their own. */
const CHECK_MS = 5000;
const HELD_MS = 5000;

/**
 * Checks all parts, once for everybody who asks at the same time or shortly afterwards.
 *
 * @param onChecked called with the results
 */
export function createReadiness(
  checks: readonly ReadinessCheck[],
  onChecked: (parts: readonly CheckedPart[]) => void,
): () => Promise<readonly CheckedPart[]> {
  let held: Promise<readonly CheckedPart[]> | null = null;
  return async () => {
    held ??= checkAll();
    return await held;
  };

  async function checkAll(): Promise<readonly CheckedPart[]> {
    const parts = await Promise.all(checks.map(runCheck));
    onChecked(parts);
    setTimeout(() => {
      held = null;
    }, HELD_MS).unref();
    return parts;
  }
}

async function runCheck({ part, check }: ReadinessCheck): Promise<CheckedPart> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), CHECK_MS);
  });
  try {
    await Promise.race([check(), late]);
    return { part, status: "ok" };
  } catch {
    return { part, status: "failed" };
  } finally {
    clearTimeout(timer);
  }
}
