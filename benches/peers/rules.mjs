// What the hand-written gate decides, apart from the two crypto libraries it is measured with.

export const ISSUER = "https://gate.example.com";
export const AUDIENCE = "bench-origin";
const LIMIT = { requests: 1_000_000_000, windowSeconds: 3600, burst: 1_000_000 };
const RECORD_TTL_MS = 30_000;
const MAX_RECORDS = 10_000;
const ASSERTION_SECONDS = 30;

const KEY = /^ak_([0-9A-HJKMNP-TV-Z]{20})_[0-9A-HJKMNP-TV-Z]{40}$/;
const KEY_ANYWHERE = /ak_[0-9A-HJKMNP-TV-Z]{20}_[0-9A-HJKMNP-TV-Z]{40}/;
// Refuses rather than repairs: what is matched here must be what the origin is sent.
const BAD_PATH = /[^\w\-.~!$&'()*+,=:@/]|\/\/|\/\.\.?(?:\/|$)/;

const ROUTES = [
  { method: "GET", pattern: "/v1/agents", scope: "agents:read" },
  { method: "POST", pattern: "/v1/agents", scope: "agents:write" },
  { method: "GET", pattern: "/v1/agents/{agent_id}", scope: "agents:read" },
  { method: "PUT", pattern: "/v1/agents/{agent_id}", scope: "agents:write" },
  { method: "DELETE", pattern: "/v1/agents/{agent_id}", scope: "agents:write" },
  { method: "POST", pattern: "/v1/simulations", scope: "simulations:write" },
].map((route) => ({ ...route, segments: route.pattern.split("/").slice(1) }));

const records = new Map();

/** Reads the request once. @returns its facts, or the Response that refuses it. */
export function read(req) {
  const headers = req.headers;
  const requestId = crypto.randomUUID();
  const url = req.url;
  const target = url.slice(url.indexOf("/", 8));
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (BAD_PATH.test(path)) return refuse(400, "BAD_TARGET", "The target is not canonical.", requestId);
  if (query >= 0 && KEY_ANYWHERE.test(target)) return refuse(400, "KEY_IN_URL", "A key was sent in the URL.", requestId);
  if (headers.get("upgrade") !== null) return refuse(400, "BAD_REQUEST", "Upgrades are not accepted.", requestId);

  const authorization = headers.get("authorization");
  const apiKey = headers.get("x-api-key");
  if ((authorization !== null && apiKey !== null) || authorization?.includes(",") || apiKey?.includes(",")) {
    return refuse(400, "AMBIGUOUS_CREDENTIALS", "Send exactly one credential.", requestId);
  }
  const route = match(req.method, path);
  if (route === null) return refuse(404, "UNKNOWN_ROUTE", "No such route.", requestId);

  const bearer = authorization !== null && /^bearer /i.test(authorization);
  if (apiKey === null && !bearer) return refuse(401, "MISSING_API_KEY", "An API key is required.", requestId);
  const key = apiKey ?? authorization.slice(7);
  const kid = KEY.exec(key)?.[1];
  if (kid === undefined) return invalidKey(requestId);
  return {
    requestId, target, route, key, kid,
    method: req.method,
    host: headers.get("host") ?? "",
    ip: headers.get("cf-connecting-ip"),
    signature: headers.get("x-signature"),
    timestamp: headers.get("x-timestamp"),
    now: Date.now(),
  };
}

/** @returns the record in isolate memory, or undefined if it must be loaded. */
export function remembered(kid, now) {
  const record = records.get(kid);
  return record !== undefined && record.until > now ? record : undefined;
}

/** @returns the record from KV, kept in memory; null if there is none. */
export async function load(kid, keys, now, prepare) {
  const stored = await keys.get(`k1:${kid}`, "json");
  if (stored === null) return null;
  const record = {
    ...stored,
    digest: Uint8Array.fromHex(stored.digest),
    signing: stored.signing === undefined ? null : await prepare(stored.signing),
    scopeSet: new Set(stored.scopes),
    scopeText: stored.scopes.join(" "),
    networks: stored.ips.map(network),
    window: { end: 0, used: 0, full: 0 },
    until: now + RECORD_TTL_MS,
  };
  if (records.size >= MAX_RECORDS) records.delete(records.keys().next().value);
  records.set(kid, record);
  return record;
}

/** The checks that follow a proved secret. @returns null, or the Response that refuses. */
export function judge(facts, record) {
  const { requestId, route, now } = facts;
  if (record.status === "revoked") return refuse(401, "REVOKED_API_KEY", "The key is revoked.", requestId);
  if (record.status !== "active") return refuse(401, "DISABLED_API_KEY", "The key is disabled.", requestId);
  if (record.expires * 1000 <= now) return refuse(401, "EXPIRED_API_KEY", "The key has expired.", requestId);
  if (record.networks.length > 0 && !allowedAddress(record.networks, facts.ip)) {
    return refuse(403, "IP_NOT_ALLOWED", "The address is not allowed.", requestId);
  }
  if (!record.scopeSet.has(route.scope)) return refuse(403, "PERMISSION_DENIED", `Scope ${route.scope} is required.`, requestId);
  for (const parameter in route.parameters) {
    const allowed = record.bindings[parameter];
    if (allowed !== undefined && !allowed.includes(route.parameters[parameter])) {
      return refuse(403, "WRONG_RESOURCE", "The key is bound to another resource.", requestId);
    }
  }
  return null;
}

/** @returns the bytes-to-be-signed of a v1 signature, or null if the timestamp is stale or malformed. */
export function signedMessage(facts) {
  if (!/^[1-9][0-9]{9}$/.test(facts.timestamp ?? "")) return null;
  const age = facts.now / 1000 - Number(facts.timestamp);
  return age > 300 || age < -60 ? null : `${facts.method}\n${facts.target}\n${facts.timestamp}\n`;
}

/** Fixed window and GCRA together, in isolate memory. @returns whether the request conforms. */
export function spend(record, now) {
  const window = record.window;
  if (now >= window.end) {
    window.end = now + LIMIT.windowSeconds * 1000;
    window.used = 0;
  }
  const interval = (LIMIT.windowSeconds * 1000) / LIMIT.requests;
  const full = Math.max(window.full, now) + interval;
  if (window.used >= LIMIT.requests || full - now > interval * LIMIT.burst) return false;
  window.used += 1;
  window.full = full;
  return true;
}

export function claims(facts, record, targetHash) {
  const issued = Math.floor(facts.now / 1000);
  return JSON.stringify({
    iss: ISSUER,
    aud: AUDIENCE,
    kid: facts.kid,
    workspace: record.workspace,
    sub: record.subject,
    scopes: record.scopeText,
    method: facts.method,
    target: targetHash,
    ip: facts.ip,
    jti: facts.requestId,
    iat: issued,
    exp: issued + ASSERTION_SECONDS,
  });
}

export function grantOf(facts, record, assertion) {
  return {
    host: facts.host,
    ip: facts.ip ?? "",
    requestId: facts.requestId,
    kid: facts.kid,
    workspace: record.workspace,
    type: record.type,
    scopes: record.scopeText,
    subject: record.subject,
    rate: rateOf(record.window, facts.now),
    assertion,
  };
}

function rateOf({ used, end, full }, now) {
  const { requests, windowSeconds, burst } = LIMIT;
  const interval = (windowSeconds * 1000) / requests;
  const owed = Math.max(full - now, 0);
  const remaining = requests - used;
  return {
    limit: String(requests),
    remaining: String(remaining),
    reset: String(Math.ceil(end / 1000)),
    policy: POLICY,
    state:
      `"hour";r=${remaining};t=${Math.ceil((end - now) / 1000)}, ` +
      `"burst";r=${Math.floor(burst - owed / interval)};t=${Math.ceil(owed / 1000)}`,
  };
}

const POLICY =
  `"hour";q=${LIMIT.requests};w=${LIMIT.windowSeconds}, ` +
  `"burst";q=${LIMIT.burst};w=${Math.ceil((LIMIT.burst * LIMIT.windowSeconds) / LIMIT.requests)}`;

export const invalidKey = (requestId) => refuse(401, "INVALID_API_KEY", "The API key is not valid.", requestId);

export function refuse(status, code, message, requestId) {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Request-Id": requestId };
  if (status === 401) headers["WWW-Authenticate"] = 'Bearer realm="api"';
  if (status === 429) headers["Retry-After"] = "1";
  return new Response(JSON.stringify({ error: { code, message, status, request_id: requestId } }), { status, headers });
}

function match(method, path) {
  const segments = path.split("/");
  for (const route of ROUTES) {
    if (route.method !== method || route.segments.length !== segments.length - 1) continue;
    let parameters;
    const fits = route.segments.every((expected, i) => {
      const actual = segments[i + 1];
      if (expected[0] !== "{") return expected === actual;
      (parameters ??= {})[expected.slice(1, -1)] = actual;
      return actual !== "";
    });
    if (fits) return { scope: route.scope, parameters };
  }
  return null;
}

function network(cidr) {
  const [text, length] = cidr.split("/");
  const groups = address(text);
  if (groups === null) throw new TypeError("a network of the record is malformed");
  return { groups, bits: length === undefined ? groups.length * 16 : Number(length) };
}

function allowedAddress(networks, text) {
  const groups = text === null ? null : address(text);
  return groups !== null && networks.some((allowed) => contains(allowed, groups));
}

function contains({ groups, bits }, candidate) {
  if (groups.length !== candidate.length) return false;
  for (let i = 0, left = bits; left > 0; i += 1, left -= 16) {
    const mask = left >= 16 ? 0xffff : (0xffff << (16 - left)) & 0xffff;
    if ((groups[i] & mask) !== (candidate[i] & mask)) return false;
  }
  return true;
}

// 16-bit groups, two for IPv4 and eight for IPv6; null if malformed.
function address(text) {
  if (!text.includes(":")) {
    const bytes = text.split(".");
    if (bytes.length !== 4 || !bytes.every((byte) => /^(?:0|[1-9]\d{0,2})$/.test(byte) && Number(byte) < 256)) return null;
    return [bytes[0] * 256 + +bytes[1], bytes[2] * 256 + +bytes[3]];
  }
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array(missing).fill("0"), ...tail];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? groups.map((group) => parseInt(group, 16)) : null;
}
