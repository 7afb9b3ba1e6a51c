import type { PagePlace } from "./page-place.ts";

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();

/** Workflows as somebody may have them. */
export const DEMO_WORKFLOWS = {
  "deploy.yaml": `
apiVersion: v1
id: deploy
secrets: [GITHUB_TOKEN, REGISTRY]
inputs:
  environment: { type: string, description: where it goes, enum: [staging, production], default: staging }
  version: { type: string, description: "such as v1.4.0", default: v1.4.0 }
  canary: { type: boolean, description: only to one server at first, default: true }
tasks:
  - { id: checkout, type: core/console.log, inputs: { message: "clone with {{ secrets.GITHUB_TOKEN }}" } }
  - { id: build, type: core/console.log, needs: [checkout], inputs: { message: "build {{ inputs.version }}" } }
  - { id: test, type: core/console.log, needs: [checkout], inputs: { message: "312 tests passed" } }
  - { id: push, type: core/console.log, needs: [build, test], inputs: { message: "push as {{ secrets.REGISTRY.username }}" } }
finally:
  - { id: notify, type: core/console.log, inputs: { message: "deployed to {{ inputs.environment }}, canary {{ inputs.canary }}" } }
`,
  "release.yaml": `
apiVersion: v1
id: release
secrets: [GITHUB_TOKEN, REGISTRY]
tasks:
  - { id: checkout, type: core/console.log, inputs: { message: "clone with {{ secrets.GITHUB_TOKEN }}" } }
  - { id: lint, type: core/console.log, needs: [checkout], inputs: { message: "no problem found" } }
  - { id: build, type: core/console.log, needs: [checkout], inputs: { message: "built v1.4.0 in 3 layers" } }
  - id: test
    type: core/shell.run
    needs: [checkout]
    inputs: { script: "echo 311 tests passed; echo browser tests begin; sleep 600" }
  - { id: push, type: core/console.log, needs: [lint, build, test], inputs: { message: "push as {{ secrets.REGISTRY.username }}" } }
  - { id: announce, type: core/console.log, needs: [push], if: 'tasks.push.status == "success"', inputs: { message: "v1.4.0 is out" } }
`,
  "nightly.yaml": `
apiVersion: v1
id: nightly
secrets: [DB_BACKUP]
trigger: { type: cron, cron: "0 3 * * *", timeZone: Europe/Berlin }
tasks:
  - { id: dump, type: core/console.log, inputs: { message: "dump as {{ secrets.DB_BACKUP.username }}" } }
`,
};

/** Secrets as somebody may have them. None of the values is one. */
export async function storeDemoSecrets({ manager: { secrets } }: Pick<PagePlace, "manager">): Promise<void> {
  const of = (value: string) => ({ type: "apiKey", fields: { value } }) as const;
  const login = (username: string) => ({ type: "basicAuth", fields: { username, password: "demo-password" } }) as const;
  await secrets.setAll([
    { name: "ANALYTICS_KEY", description: "Read access to the dashboards", tags: ["web"], ...of("demo-analytics") },
    { name: "DB_BACKUP", description: "Account of the nightly dump", tags: ["db", "nightly"], ...login("backup") },
    { name: "DB_MAIN", description: "Main database of the shop", tags: ["db", "production"], ...login("shop") },
    {
      name: "GITHUB_TOKEN",
      description: "Token of the release bot",
      tags: ["ci"],
      expiresAt: inDays(12),
      ...of("ghp-demo-1"),
    },
    {
      name: "PAYMENTS",
      description: "Client of the payment provider",
      tags: ["production"],
      expiresAt: inDays(-2),
      type: "oauth",
      fields: { clientId: "shop-frontend", clientSecret: "demo-secret", scopes: "charge refund" },
    },
    { name: "REGISTRY", description: "Where images are pushed to", tags: ["ci", "production"], ...login("robot") },
    { name: "SMTP", tags: ["mail"], expiresAt: inDays(200), ...login("mailer") },
    { name: "WEBHOOK_KEY", description: "Signs what the shop sends us", tags: ["web"], ...of("demo-webhook") },
  ]);
  for (const round of [2, 3]) {
    await secrets.setValue("GITHUB_TOKEN", `ghp-demo-${round}`, { expiresAt: inDays(12), tags: ["ci"] });
  }
}
