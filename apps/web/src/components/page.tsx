import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PageProps {
  readonly title: string;
  /** What the window is called, and so the history of the browser. Default: the title. */
  readonly windowTitle?: string;
  /** What can be done on the page: buttons and links. */
  readonly actions?: ComponentChildren;
  /** Where it belongs: a link to the list that it was opened from. */
  readonly back?: { readonly href: string; readonly text: string };
  readonly children: ComponentChildren;
}

/** A view with its heading, which gets the focus, and which the title of the window repeats. */
export function Page({ title, windowTitle = title, actions, back, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${windowTitle} · autokestra`;
    // Screen readers read it, and the next Tab goes on from here.
    heading.current?.focus();
  }, [title, windowTitle]);
  return (
    <main class="container">
      {back !== undefined && (
        <a class="back" href={back.href}>
          ← {back.text}
        </a>
      )}
      <header class="page-header">
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

/** A part of a page. */
export function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}
