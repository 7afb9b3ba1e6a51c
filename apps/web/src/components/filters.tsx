import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

/** What a list is narrowed by. It counts as it is changed: there is nothing to send. */
export function FilterForm({ children }: { children: ComponentChildren }) {
  return (
    <search>
      <form class="filters" autocomplete="off" onSubmit={(event) => event.preventDefault()}>
        {children}
      </form>
    </search>
  );
}

/** How long to wait after the last key before the list is loaded. */
const TYPING_MS = 250;

interface FilterTextProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A text filter of a list, which applies once typing has stopped. */
export function FilterText({ label, value, onChange }: FilterTextProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onChange(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label>
      {label}
      <input type="search" spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
    </label>
  );
}
