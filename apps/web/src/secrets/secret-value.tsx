import { useEffect, useState } from "preact/hooks";
import { hasClipboard } from "../clipboard.ts";
import { ProblemMessage } from "../components/messages.tsx";
import { useSession, useWork } from "../hooks.ts";
import { reveal, type SecretValues } from "./calls.ts";

/** How many seconds a value is shown. */
const SHOWN_SECONDS = 20;

interface SecretValueProps {
  readonly id: string;
  /** Null: all fields together, of a version whose fields are not known. */
  readonly field: string | null;
  readonly label: string;
  /** Default: the current one. */
  readonly version?: number;
}

/** A field of a secret: hidden, until somebody asks for it. */
export function SecretValue({ id, field, label, version }: SecretValueProps) {
  const { api, may, clipboard } = useSession();
  const { isBusy, error, start } = useWork();
  const [shown, secondsLeft, show] = useShown();

  async function read(): Promise<string> {
    const query = { ...(version !== undefined && { version }), ...(field !== null && { field }) };
    const values = await reveal(api, id, query);
    return field === null ? listValues(values) : toText(values[field] ?? "");
  }

  return (
    <li class="value">
      <div class="value-line">
        <span class="value-name">{label}</span>
        {shown === null && (
          <span class="dots" aria-hidden="true">
            ••••••••
          </span>
        )}
        {may("secrets:reveal") && (
          <span class="actions">
            <button
              type="button"
              class="secondary outline small"
              aria-label={`${shown === null ? "Show" : "Hide"} ${label}`}
              aria-busy={isBusy}
              onClick={() => (shown === null ? start(async () => show(await read())) : show(null))}
            >
              {shown === null ? "Show" : "Hide"}
            </button>
            {hasClipboard() && (
              <button
                type="button"
                class="secondary outline small"
                aria-label={`Copy ${label}`}
                onClick={() => start(async () => await clipboard.copy(label, read))}
              >
                Copy
              </button>
            )}
          </span>
        )}
      </div>
      {shown !== null && <ShownValue label={label} text={shown} secondsLeft={secondsLeft} />}
      <ProblemMessage error={error} />
    </li>
  );
}

function ShownValue({ label, text, secondsLeft }: { label: string; text: string; secondsLeft: number }) {
  return (
    <>
      <textarea class="code shown" readOnly rows={1} spellcheck={false} aria-label={`Value of ${label}`} value={text} />
      <p class="fine" role="timer">
        Hidden in {secondsLeft} s
      </p>
    </>
  );
}

/** A text that is shown for a while, and hidden at once when nobody looks at the page any more. */
function useShown(): readonly [text: string | null, secondsLeft: number, show: (text: string | null) => void] {
  const [shown, setShown] = useState<{ readonly text: string; readonly until: number } | null>(null);
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (shown === null) return undefined;
    const hide = () => setShown(null);
    const tick = () => (Date.now() >= shown.until ? hide() : setNow(Date.now()));
    const timer = setInterval(tick, 1000);
    // Timers of pages in the background are slow.
    const onChange = () => document.visibilityState === "hidden" && hide();
    document.addEventListener("visibilitychange", onChange);
    addEventListener("pagehide", hide);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onChange);
      removeEventListener("pagehide", hide);
    };
  }, [shown]);
  const show = (text: string | null) => {
    setNow(Date.now());
    setShown(text === null ? null : { text, until: Date.now() + SHOWN_SECONDS * 1000 });
  };
  return [shown?.text ?? null, shown === null ? 0 : Math.ceil((shown.until - now) / 1000), show];
}

function toText(value: SecretValues[string]): string {
  return Array.isArray(value) ? value.join("\n") : String(value);
}

function listValues(values: SecretValues): string {
  const [only, ...others] = Object.values(values);
  if (only !== undefined && others.length === 0) return toText(only);
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${toText(value)}`)
    .join("\n");
}
