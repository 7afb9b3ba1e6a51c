import { useId, useState } from "preact/hooks";

interface SecretInputProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  readonly isRequired?: boolean;
  readonly hint?: string;
}

/**
 * Takes a value of one or many lines, which is hidden while it is typed. No password field: browsers offer to keep what is typed there,
 * and it has one line.
 */
export function SecretInput({ label, value, onInput, isRequired = false, hint }: SecretInputProps) {
  const [isShown, setShown] = useState(false);
  const [inputId, hintId] = [useId(), useId()];
  const endsLine = value.endsWith("\n");
  return (
    <div class="secret-input">
      <div class="value-line">
        <label for={inputId}>{label}</label>
        <button
          type="button"
          class="secondary outline small"
          aria-pressed={isShown}
          aria-label={`Show ${label} while typing`}
          onClick={() => setShown(!isShown)}
        >
          {isShown ? "Hide" : "Show"}
        </button>
      </div>
      <textarea
        id={inputId}
        class={isShown ? "code" : "code concealed"}
        rows={1}
        value={value}
        required={isRequired}
        // Some browsers send what they check to a server.
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        aria-describedby={hintId}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <small id={hintId}>
        {hint}
        {endsLine && "It ends with a line break, which is stored, too."}
      </small>
    </div>
  );
}
