import type { Route } from "../router.ts";
import { SecretDetails } from "./secret-details.tsx";
import { EditSecret, NewSecret } from "./secret-form.tsx";
import { SecretList } from "./secret-list.tsx";

/** Everything below `#/secrets`. */
export function SecretsView({ route }: { route: Route }) {
  const [, id, part] = route.path;
  if (id === undefined) return <SecretList query={route.query} />;
  if (id === "new") return <NewSecret />;
  return part === "edit" ? <EditSecret key={id} id={id} /> : <SecretDetails key={id} id={id} />;
}
