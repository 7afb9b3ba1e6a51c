import type { ApiSession, Permission } from "@autokestra/server/answers";
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useState } from "preact/hooks";
import { type Api, type ApiError, toApiError } from "./api.ts";
import type { Clipboard } from "./clipboard.ts";

/** Who has signed in, and what they may do. */
export interface Session {
  readonly api: Api;
  /** What the server says of the token. */
  readonly info: ApiSession;
  readonly may: (permission: Permission) => boolean;
  /** Tells something for a few seconds, to screen readers too. */
  readonly tell: (text: string) => void;
  readonly clipboard: Clipboard;
  readonly signOut: () => void;
}

export const SessionContext = createContext<Session | null>(null);

/** The session. Only for views that need a sign-in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("nobody has signed in");
  return session;
}

/** What a view has asked for. `value` stays while it is asked for again. */
export interface Loaded<T> {
  readonly value: T | null;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/**
 * Asks for something, and again whenever `inputs` change.
 *
 * @param load ends where its signal says so
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({ value: null, error: null, isLoading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setState(({ value }) => ({ value, error: null, isLoading: true }));
    load(controller.signal).then(
      (value) => controller.signal.aborted || setState({ value, error: null, isLoading: false }),
      (error: unknown) =>
        controller.signal.aborted || setState({ value: null, error: toApiError(error), isLoading: false }),
    );
    return () => controller.abort();
    // The function is a new one each time: what it depends on is in the inputs.
  }, [...inputs, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { ...state, reload };
}

/** Something that a person has asked to be done: once at a time, with what went wrong. */
export interface Work {
  readonly isBusy: boolean;
  readonly error: ApiError | null;
  /** Runs it, unless it is running already. */
  readonly start: (work: () => Promise<void>) => void;
}

export function useWork(): Work {
  const [state, setState] = useState<Omit<Work, "start">>({ isBusy: false, error: null });
  const start = (work: () => Promise<void>): void => {
    if (state.isBusy) return;
    setState({ isBusy: true, error: null });
    work().then(
      () => setState({ isBusy: false, error: null }),
      (error: unknown) => setState({ isBusy: false, error: toApiError(error) }),
    );
  };
  return { ...state, start };
}
