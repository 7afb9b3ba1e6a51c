import type { ApiSession } from "@autokestra/server/answers";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Api, createApi } from "./api.ts";
import { AuditView } from "./audit/audit-view.tsx";
import { createClipboard } from "./clipboard.ts";
import { EmptyState } from "./components/messages.tsx";
import { Page } from "./components/page.tsx";
import { type Session, SessionContext } from "./hooks.ts";
import { Login } from "./login.tsx";
import { hrefOf, useRoute } from "./router.ts";
import { RunsView } from "./runs/runs-view.tsx";
import { SecretsView } from "./secrets/secrets-view.tsx";
import { watchIdle } from "./session.ts";

/** The parts of the page, and what a token needs for them. */
const SECTIONS = [
  { path: "secrets", text: "Secrets", permission: "secrets:read", View: SecretsView },
  { path: "runs", text: "Runs", permission: "runs:read", View: RunsView },
  { path: "audit", text: "Audit", permission: "audit:read", View: AuditView },
] as const;

interface SignedIn {
  readonly api: Api;
  readonly info: ApiSession;
}

/** All of the page. */
export function App() {
  const [signedIn, setSignedIn] = useState<SignedIn | null>(null);
  const [reason, setReason] = useState<string | null>(null);

  const signOut = useCallback((why: string) => {
    setSignedIn(null);
    setReason(why);
  }, []);

  async function signIn(text: string): Promise<void> {
    let isIn = false;
    const api = createApi(text, () => isIn && signOut("The server does not take your token any more. Sign in again."));
    const info = await api.get<ApiSession>("/session");
    isIn = true;
    setReason(null);
    setSignedIn({ api, info });
  }

  return signedIn === null ? <Login reason={reason} onToken={signIn} /> : <Shell {...signedIn} onSignOut={signOut} />;
}

function Shell({ api, info, onSignOut }: SignedIn & { onSignOut: (why: string) => void }) {
  const route = useRoute();
  const [notice, tell] = useNotice();
  const session = useMemo<Session>(
    () => ({
      api,
      info,
      tell,
      clipboard: createClipboard(tell),
      may: (permission) => info.permissions.includes(permission),
      signOut: () => onSignOut("You have signed out. The token is forgotten."),
    }),
    [api, info],
  );
  useEffect(() => watchIdle(() => onSignOut("You were away for 15 minutes, so the token was forgotten.")), [onSignOut]);

  const sections = SECTIONS.filter(
    ({ path, permission }) => session.may(permission) && (path === "secrets" || info.parts[path]),
  );
  const wanted = route.path[0] ?? sections[0]?.path;
  const section = sections.find(({ path }) => path === wanted);
  return (
    <SessionContext.Provider value={session}>
      <header class="shell">
        <div class="container">
          <a class="brand" href="#/">
            <img src="/icon.svg" alt="" width="24" height="24" />
            autokestra
          </a>
          <nav aria-label="Main">
            {sections.map(({ path, text }) => (
              <a key={path} href={hrefOf([path])} aria-current={path === wanted ? "page" : undefined}>
                {text}
              </a>
            ))}
          </nav>
          <p class="who">
            <span title={info.permissions.join(", ")}>{info.name ?? info.id}</span>
            <button type="button" class="secondary outline small" onClick={session.signOut}>
              Sign out
            </button>
          </p>
        </div>
      </header>
      {section === undefined ? <NoSection isAllowed={sections.length > 0} /> : <section.View route={route} />}
      <p class="notice" role="status">
        {notice}
      </p>
    </SessionContext.Provider>
  );
}

function NoSection({ isAllowed }: { isAllowed: boolean }) {
  return (
    <Page title="Nothing here">
      {isAllowed ? (
        <EmptyState title="There is no such page, or your token may not see it." />
      ) : (
        <EmptyState title="Your token has no role that this page has something for." />
      )}
    </Page>
  );
}

/** How long a notice stays. */
const NOTICE_MS = 6000;

function useNotice(): readonly [string, (text: string) => void] {
  const [text, setText] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const tell = useCallback((next: string) => {
    clearTimeout(timer.current);
    setText(next);
    timer.current = setTimeout(() => setText(""), NOTICE_MS);
  }, []);
  return [text, tell];
}
