// Makes in OpenBao or Vault what report.yaml takes from there: a secret, and a role that logs in to PostgreSQL.

/**
 * @param {{ address: string, token: string }} vault with a token that may do all
 * @param {{ host: string, port: number, user: string, password: string, database: string }} postgres
 */
export async function setUp({ address, token }, { host, port, user, password, database }) {
  /** @param {string} path @param {object} body */
  const write = async (path, body) => {
    const headers = { "x-vault-token": token };
    const response = await fetch(`${address}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  };
  await write("secret/data/apps/report", { data: { api_key: "sk_live_51Hq9ZtK8vExample" } });
  await write("sys/mounts/database", { type: "database" });
  await write("database/config/main", {
    plugin_name: "postgresql-database-plugin",
    allowed_roles: "report",
    connection_url: `postgresql://{{username}}:{{password}}@${host}:${port}/${database}?sslmode=disable`,
    username: user,
    password,
  });
  await write("database/roles/report", {
    db_name: "main",
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
    revocation_statements: ['DROP ROLE IF EXISTS "{{name}}"'],
    default_ttl: "1h",
    max_ttl: "24h",
  });
}
