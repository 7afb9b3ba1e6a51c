import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, toApiError } from "./api.ts";
import { ProblemMessage } from "./components/messages.tsx";
import { useWork } from "./hooks.ts";

interface LoginProps {
  /** Why somebody who was signed in is not, any more. */
  readonly reason: string | null;
  /** @throws ApiError */
  readonly onToken: (token: string) => Promise<void>;
}

/** What a header can carry. */
const TOKEN = /^[\w.~+/-]+=*$/;

/** Asks for a token, which stays in memory. */
export function Login({ reason, onToken }: LoginProps) {
  useEffect(() => {
    document.title = "Sign in · autokestra";
  }, []);
  return (
    <main class="login">
      <article>
        <header>
          <img src="/icon.svg" alt="" width="40" height="40" />
          <h1>Sign in to autokestra</h1>
        </header>
        {reason !== null && <p role="status">{reason}</p>}
        <TokenForm onToken={onToken} />
        <p class="fine">
          The token stays in the memory of this tab. It is gone when you reload the page, close it, or do not use it for
          15 minutes.
        </p>
        <TokenHelp />
      </article>
    </main>
  );
}

function TokenForm({ onToken }: Pick<LoginProps, "onToken">) {
  const input = useRef<HTMLInputElement>(null);
  const [token, setToken] = useState("");
  const { isBusy, error, start } = useWork();
  useEffect(() => input.current?.focus(), []);

  async function signIn(): Promise<void> {
    const given = token.trim();
    try {
      if (!TOKEN.test(given)) throw NO_TOKEN;
      await onToken(given);
    } catch (cause) {
      const isWrong = cause === NO_TOKEN || toApiError(cause).status === 401;
      if (isWrong) setToken("");
      input.current?.focus();
      throw isWrong && cause !== NO_TOKEN ? NOT_TAKEN : cause;
    }
  }

  return (
    <form
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        start(signIn);
      }}
    >
      <label>
        Token
        <input
          ref={input}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          placeholder="ak_…"
          value={token}
          aria-invalid={error === null ? undefined : true}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <ProblemMessage error={error} />
      <button type="submit" aria-busy={isBusy}>
        Sign in
      </button>
    </form>
  );
}

function TokenHelp() {
  return (
    <details class="fine">
      <summary>How do I get a token?</summary>
      <p>Whoever runs the server makes one at its command line:</p>
      <pre>
        <code>autokestra tokens create me --role admin</code>
      </pre>
      <p>
        A token for one task is better: <code>reader</code> sees names, <code>revealer</code> values too,{" "}
        <code>writer</code> changes secrets, <code>runner</code> starts workflows, <code>auditor</code> reads the audit
        log.
      </p>
    </details>
  );
}

const NO_TOKEN = new ApiError({
  status: 0,
  code: "TOKEN_INVALID",
  detail: "This is not a token. Tokens begin with ak_.",
});

const NOT_TAKEN = new ApiError({
  status: 401,
  code: "UNAUTHORIZED",
  detail: "The server does not take this token. It may be mistyped, revoked or expired.",
});
