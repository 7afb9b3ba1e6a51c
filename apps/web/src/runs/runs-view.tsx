import { EmptyState } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import type { Route } from "../router.ts";

export function RunsView({ route }: { route: Route }) {
  return (
    <Page title="Runs">
      <EmptyState title={`Not built yet: ${route.path.join("/")}`} />
    </Page>
  );
}
