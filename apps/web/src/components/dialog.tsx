import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useWork } from "../hooks.ts";
import { ProblemMessage } from "./messages.tsx";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A dialog over the page, for as long as it is rendered. The browser holds the focus in it, and gives it back. */
function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <article>
        <h2 id={titleId}>{title}</h2>
        {children}
      </article>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  /** What happens, and whether it can be undone. */
  readonly children: ComponentChildren;
  /** The verb of the button: "Delete". */
  readonly action: string;
  readonly isDangerous?: boolean;
  /** What the other button says, where "Cancel" would say something else. */
  readonly wayBack?: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

/** Asks for confirmation, and stays open if the action fails. */
export function ConfirmDialog(props: ConfirmProps) {
  const { title, children, action, isDangerous = false, wayBack = "Cancel", onConfirm, onClose } = props;
  const { isBusy, error, start } = useWork();
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <ProblemMessage error={error} />
      <footer>
        <button type="button" class="secondary outline" onClick={onClose}>
          {wayBack}
        </button>
        <button type="button" class={isDangerous ? "danger" : ""} aria-busy={isBusy} onClick={() => start(onConfirm)}>
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
