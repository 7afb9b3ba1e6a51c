import type { ApiSecret } from "@autokestra/server/answers";
import { useState } from "preact/hooks";
import { DataTable } from "../components/data-table.tsx";
import { ConfirmDialog } from "../components/dialog.tsx";
import { Badge, Shown, Time } from "../components/messages.tsx";
import { Card } from "../components/page.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { listVersions, rollBack } from "./calls.ts";
import { Expiry } from "./secret-list.tsx";
import { SecretValue } from "./secret-value.tsx";

/** The versions of a secret: an older one can be looked at, and be made the current one again. */
export function SecretVersions({ secret, onChange }: { secret: ApiSecret; onChange: () => void }) {
  const { api, may } = useSession();
  const [target, setTarget] = useState<number | null>(null);
  const [open, setOpen] = useState<number | null>(null);
  const { id, name } = secret;
  const versions = useLoaded(async (signal) => await listVersions(api, id, signal), [api, id]);
  const canAct = may("secrets:reveal") || may("secrets:write");
  const isOld = ({ version }: ApiSecret) => version !== secret.version;
  return (
    <Card title="Versions">
      <Shown loaded={versions}>
        {(list) => (
          <>
            <DataTable
              caption={`Versions of ${name}`}
              rows={list}
              keyOf={({ version }) => `${version}`}
              columns={[
                {
                  header: "Version",
                  cell: (one) => (
                    <>
                      {one.version} {!isOld(one) && <Badge tone="good">current</Badge>}
                    </>
                  ),
                },
                { header: "Stored", cell: ({ updatedAt }) => <Time iso={updatedAt} /> },
                { header: "Expires", cell: ({ expiresAt }) => <Expiry expiresAt={expiresAt} />, isWide: true },
                ...(canAct && list.length > 1
                  ? [
                      {
                        header: "Actions",
                        cell: (one: ApiSecret) =>
                          isOld(one) && (
                            <VersionActions
                              version={one.version}
                              isOpen={open === one.version}
                              onOpen={() => setOpen(open === one.version ? null : one.version)}
                              onRollBack={() => setTarget(one.version)}
                            />
                          ),
                      },
                    ]
                  : []),
              ]}
            />
            {open !== null && (
              <ul class="values">
                <SecretValue key={open} id={id} field={null} label={`Version ${open}`} version={open} />
              </ul>
            )}
          </>
        )}
      </Shown>
      {target !== null && (
        <RollbackDialog secret={secret} target={target} onClose={() => setTarget(null)} onDone={onChange} />
      )}
    </Card>
  );
}

interface VersionActionsProps {
  readonly version: number;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
  readonly onRollBack: () => void;
}

function VersionActions({ version, isOpen, onOpen, onRollBack }: VersionActionsProps) {
  const { may } = useSession();
  return (
    <div class="actions">
      {may("secrets:reveal") && (
        <button
          type="button"
          class="secondary outline small"
          aria-label={`Open version ${version}`}
          aria-expanded={isOpen}
          onClick={onOpen}
        >
          Open
        </button>
      )}
      {may("secrets:write") && (
        <button
          type="button"
          class="secondary outline small"
          aria-label={`Roll back to version ${version}`}
          onClick={onRollBack}
        >
          Roll back
        </button>
      )}
    </div>
  );
}

interface RollbackDialogProps {
  readonly secret: ApiSecret;
  readonly target: number;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function RollbackDialog({ secret: { id, name }, target, onClose, onDone }: RollbackDialogProps) {
  const { api, tell } = useSession();
  return (
    <ConfirmDialog
      title={`Roll back to version ${target}?`}
      action="Roll back"
      onClose={onClose}
      onConfirm={async () => {
        const { version } = await rollBack(api, id, target);
        onClose();
        tell(`${name} has the value of version ${target} again, as version ${version}.`);
        onDone();
      }}
    >
      <p>
        Its value is stored again as the newest version. The versions in between stay, and you can come back to them.
      </p>
    </ConfirmDialog>
  );
}
