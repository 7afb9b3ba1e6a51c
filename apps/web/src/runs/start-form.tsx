import type { ApiStartedRun, ApiWorkflow } from "@autokestra/server/answers";
import { useId, useState } from "preact/hooks";
import { ProblemMessage } from "../components/messages.tsx";
import { useSession, useWork } from "../hooks.ts";
import { hrefOf, navigate } from "../router.ts";
import { describeLimits, type Input, type Inputs, initialText, inputsOf, readInputs } from "./input-values.ts";

interface FormState {
  readonly texts: Readonly<Record<string, string>>;
  /** What is wrong, by the name of the input. */
  readonly problems: Readonly<Record<string, string>>;
  /** To press the button once more after the connection was lost starts nothing twice, unless something was changed. */
  readonly key: string;
}

/** Starts a workflow, with a field for each of its inputs. */
export function StartForm({ workflow }: { workflow: ApiWorkflow }) {
  const { api } = useSession();
  const inputs = inputsOf(workflow);
  const [{ texts, problems, key }, setForm] = useState(() => newForm(inputs));
  const { isBusy, error, start } = useWork();

  async function startRun(): Promise<void> {
    const read = readInputs(inputs, texts);
    if ("problems" in read) return setForm({ texts, problems: read.problems, key });
    // A secret does not stay in a field, whatever the server says.
    setForm({ texts: withoutSecrets(inputs, texts), problems: {}, key });
    const { body } = await api.call<ApiStartedRun>("POST", "/runs", {
      body: { workflow: workflow.id, inputs: read.values },
      headers: { "idempotency-key": key },
    });
    navigate(hrefOf(["runs", body.execution]));
  }

  return (
    <form
      class="start"
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        start(startRun);
      }}
    >
      {Object.entries(inputs).map(([name, input]) => (
        <InputField
          key={name}
          name={name}
          input={input}
          text={texts[name] ?? ""}
          problem={problems[name]}
          onText={(text) => setForm((form) => ({ ...newForm(inputs), texts: { ...form.texts, [name]: text } }))}
        />
      ))}
      {Object.keys(inputs).length === 0 && <p class="muted">It takes no inputs.</p>}
      <ProblemMessage error={error} />
      <button type="submit" aria-busy={isBusy}>
        Start
      </button>
    </form>
  );
}

function newForm(inputs: Inputs): FormState {
  const texts = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, initialText(input)]));
  return { texts, problems: {}, key: crypto.randomUUID() };
}

function withoutSecrets(inputs: Inputs, texts: FormState["texts"]): FormState["texts"] {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, inputs[name]?.secret === true ? "" : text]),
  );
}

interface InputFieldProps {
  readonly name: string;
  readonly input: Input;
  readonly text: string;
  readonly problem: string | undefined;
  readonly onText: (text: string) => void;
}

function InputField({ name, input, text, problem, onText }: InputFieldProps) {
  const id = useId();
  const { description, required, secret, type } = input;
  const help = [
    ...(description === undefined ? [] : [description]),
    ...describeLimits(input),
    ...(type === "json" ? ["JSON"] : []),
    ...(secret ? ["secret: it is masked, and not kept in this form"] : []),
  ].join(" · ");
  const isWrong = problem !== undefined;
  const common = {
    id,
    name,
    required: required && type !== "boolean",
    spellcheck: false,
    autocomplete: "off",
    "aria-describedby": `${id}-help`,
    "aria-invalid": isWrong ? true : undefined,
    onInput: (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value),
  } as const;
  return (
    <div class="field">
      {type === "boolean" ? (
        <label>
          <input
            type="checkbox"
            id={id}
            name={name}
            checked={text === "true"}
            aria-describedby={`${id}-help`}
            onInput={(event) => onText(String(event.currentTarget.checked))}
          />
          {name}
        </label>
      ) : (
        <>
          <label for={id}>
            {name} {!required && <span class="fine">optional</span>}
          </label>
          <Control input={input} text={text} common={common} />
        </>
      )}
      <small id={`${id}-help`} class={isWrong ? "wrong" : ""}>
        {problem ?? help}
      </small>
    </div>
  );
}

interface ControlProps {
  readonly input: Input;
  readonly text: string;
  readonly common: { readonly id: string; readonly required: boolean };
}

function Control({ input, text, common }: ControlProps) {
  const { type, secret, enum: allowed, min, max } = input;
  if (secret) return <input {...common} type="password" value={text} autocomplete="new-password" />;
  if (allowed !== undefined) {
    const options = allowed.map((option) => initialText({ ...input, default: option }));
    return (
      <select {...common} value={text}>
        {!options.includes(text) && <option value="">Choose one</option>}
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    );
  }
  if (type === "json") return <textarea {...common} rows={4} class="code" value={text} />;
  if (type === "number") return <input {...common} type="number" step="any" min={min} max={max} value={text} />;
  return <input {...common} type="text" minLength={min} maxLength={max} value={text} />;
}
