import { EmptyState } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import type { Route } from "../router.ts";

export function AuditView({ route }: { route: Route }) {
  return (
    <Page title="Audit">
      <EmptyState title={`Not built yet: ${route.path.join("/")}`} />
    </Page>
  );
}
