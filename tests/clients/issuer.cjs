// A real OpenID Connect provider, oidc-provider, which lets everybody in. README.md says what it reads and writes.
const { generateKeyPairSync, randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:https");
const { once } = require("node:events");
const { Provider } = require("oidc-provider");
const { read, write } = require("./lines.cjs");

/** What the provider knows of people, and of programs that act for themselves. */
const ACCOUNTS = {
  ann: { groups: ["developers", "on call, tonight"], email: "ann@example.com", email_verified: true },
  bob: { groups: ["visitors"], email: "bob@example.com", email_verified: false },
  agent: { groups: ["agents"] },
};

const KEYS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  PS384: ["rsa", { modulusLength: 3072 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  EdDSA: ["ed25519", {}],
};

function newKey(algorithm) {
  const [kind, options] = KEYS[algorithm];
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: algorithm };
}

async function provide(url, keys) {
  const algorithm = keys[0].alg;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "agent",
        client_secret: "agent-of-the-tests",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: algorithm,
      },
    ],
    clientDefaults: { id_token_signed_response_alg: algorithm },
    // The first key of an algorithm signs.
    jwks: { keys },
    cookies: { keys: [randomUUID()] },
    enabledJWA: { idTokenSigningAlgValues: Object.keys(KEYS) },
    scopes: ["openid", "email", "offline_access", "mcp"],
    claims: { openid: ["sub", "groups"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...ACCOUNTS[id] }) }),
    extraTokenClaims: (_, token) => ACCOUNTS[token.accountId ?? token.clientId],
    interactions: { url: (_, interaction) => `/let-in/${interaction.uid}` },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: "mcp",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
  const shown = provider.callback();
  return async (request, response) => {
    if (!request.url.startsWith("/let-in/")) return shown(request, response);
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { accountId: params.login_hint ?? "ann" } });
    }
    const grant = (grantId && (await provider.Grant.find(grantId))) ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
    if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(" "));
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };
}

async function main() {
  // Standard output is for answers, and the provider has remarks.
  console.info = console.log = console.error;
  const { certificate, key } = await read();
  let handler;
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => handler(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const url = `https://127.0.0.1:${port}`;
  let keys = [newKey("RS256")];
  handler = await provide(url, keys);
  write({ url });
  for (let next; (next = await read()); ) {
    // New keys of an algorithm before the old ones, or in their place.
    if (next.rotate) keys = [newKey(next.rotate), ...(next.keep ? keys : [])];
    if (next.rotate) handler = await provide(url, keys);
    if (next.down) {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    }
    if (next.up) {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    }
    write({ keys: keys.map(({ kid }) => kid) });
  }
}

main().then(() => process.exit());
