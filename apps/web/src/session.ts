/** How long somebody may be away before the token is forgotten. */
const IDLE_MS = 15 * 60_000;

/** What somebody does who uses the page. To move over it is not enough. */
const USES = ["pointerdown", "keydown", "wheel", "touchmove"] as const;

/**
 * Calls back once when the page has not been used for a while, also where its timers slept meanwhile with the computer; returns what stops
 * that.
 */
export function watchIdle(onIdle: () => void): () => void {
  let last = Date.now();
  let timer = setTimeout(check, IDLE_MS);

  function check(): void {
    const left = last + IDLE_MS - Date.now();
    if (left <= 0) {
      stop();
      onIdle();
    } else {
      clearTimeout(timer);
      timer = setTimeout(check, left);
    }
  }

  function use(): void {
    // Somebody who comes back after a sleep: not before it is known that they were not away for too long.
    check();
    last = Date.now();
  }

  function stop(): void {
    clearTimeout(timer);
    for (const name of USES) removeEventListener(name, use, true);
    document.removeEventListener("visibilitychange", check);
  }

  for (const name of USES) addEventListener(name, use, { capture: true, passive: true });
  document.addEventListener("visibilitychange", check);
  return stop;
}
