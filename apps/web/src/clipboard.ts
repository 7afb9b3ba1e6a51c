/** How long a copied value stays in the clipboard. */
const CLIPBOARD_MS = 30_000;

export interface Clipboard {
  /**
   * Copies what `read` gives, and removes it after a while. Call it at once in the answer to a click: browsers ask for that.
   *
   * @param what its name, for messages
   */
  copy(what: string, read: () => Promise<string>): Promise<void>;
}

/**
 * The clipboard of the computer. What is in it can be read by other programs, and so it is emptied. No page can see whether something else
 * has been copied elsewhere meanwhile: that is then removed, too.
 *
 * @param tell tells people what becomes of what they have copied
 */
export function createClipboard(tell: (text: string) => void): Clipboard {
  let timer: ReturnType<typeof setTimeout> | undefined;

  function forget(): void {
    clearTimeout(timer);
    removeEventListener("focus", clear);
    for (const name of ["copy", "cut"]) document.removeEventListener(name, forget);
  }

  function clear(): void {
    void empty();
  }

  async function empty(): Promise<void> {
    try {
      await navigator.clipboard.writeText("");
      forget();
      tell("The clipboard has been emptied.");
    } catch {
      // Browsers let a page write only while it is used.
      tell("The value is still in the clipboard: it is emptied when you come back to this page.");
      addEventListener("focus", clear);
    }
  }

  return {
    async copy(what, read) {
      forget();
      const text = read().then((value) => new Blob([value], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
      timer = setTimeout(clear, CLIPBOARD_MS);
      for (const name of ["copy", "cut"]) document.addEventListener(name, forget);
      tell(`${what} is in the clipboard for 30 seconds.`);
    },
  };
}

/** Browsers offer the clipboard only to pages from a secure context: HTTPS, or this computer. */
export function hasClipboard(): boolean {
  return "clipboard" in navigator && "ClipboardItem" in window;
}
