import type { VNode } from "preact";
import { useId } from "preact/hooks";

interface TextInputProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  readonly isRequired?: boolean;
  /** Names of programs, and no words of a language. */
  readonly isCode?: boolean;
  readonly pattern?: string;
  /** The browser's message for a text that does not match. */
  readonly rule?: string;
  readonly hint?: string;
}

/** A line of text. Browsers add nothing to it, and change nothing in it. */
export function TextInput(props: TextInputProps) {
  const { label, value, onInput, isRequired = false, isCode = false, pattern, rule, hint } = props;
  return (
    <Labelled label={label} hint={hint}>
      {(ids) => (
        <input
          {...ids}
          class={isCode ? "code" : ""}
          value={value}
          required={isRequired}
          pattern={pattern}
          title={rule}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

interface LabelledProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly children: (ids: { readonly id: string; readonly "aria-describedby": string | undefined }) => VNode;
}

/** An input with its label, and with a hint that is no part of its name. */
export function Labelled({ label, hint, children }: LabelledProps) {
  const [id, hintId] = [useId(), useId()];
  return (
    <div class="labelled">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": hint === undefined ? undefined : hintId })}
      {hint !== undefined && <small id={hintId}>{hint}</small>}
    </div>
  );
}
