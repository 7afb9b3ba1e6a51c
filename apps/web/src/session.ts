/** The idle time after which the token is forgotten. */
const IDLE_MS = 15 * 60_000;

/** Events that count as use of the page. Moving the mouse over it does not. */
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
    // After the computer slept: first check whether the idle time is over.
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
