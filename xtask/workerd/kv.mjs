// The local KV: the HTTP that workerd's `kvNamespace` binding speaks, over one Durable Object on
// SQLite, so that rows survive a kill.
//
//   GET    /<key>?urlencoded=true[&cache_ttl=S]          200 value [CF-KV-Metadata, CF-Expiration] | 404
//   PUT    /<key>?urlencoded=true[&expiration=S|&expiration_ttl=S]   [CF-KV-Metadata]
//   DELETE /<key>?urlencoded=true
//   GET    /?prefix=P&key_count_limit=N&cursor=C         {keys: [{name, expiration?, metadata?}], list_complete, cursor?}
//   POST   /bulk/get     {keys, type?, withMetadata?}    {key: value | null}
//   POST   /bulk/delete  {keys}
//
// It counts what it is asked and, when told to by control.mjs, misbehaves. A fault is
//
//   {kind, prefix?, ops?, count?, delay_ms?, status?, at?}
//
//   kind      error (answers `status`, default 500) | hang | delay | garbage | flip (one bit of byte
//             `at`, default the middle one) | truncate (to half) | miss
//   prefix    only keys that start so; default all
//   ops       of "get", "put", "delete", "list"; default ["get"]
//   count     the next so many operations; default all
//   delay_ms  waits first, whatever the kind
//
// The first fault that fits an operation is the one applied.

import { DurableObject } from "cloudflare:workers";
import { FaultList, pause } from "./faults.mjs";

export default {
  fetch(request, env) {
    return env.STORE.getByName("kv").fetch(request);
  },
};

export class Store extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(
      "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value BLOB NOT NULL, metadata TEXT, expiration INTEGER)",
    );
    this.faults = new FaultList();
    this.resetCounts();
  }

  async fetch(request) {
    const url = new URL(request.url);
    if (request.method === "POST") return this.bulk(url.pathname, await request.json());
    if (url.pathname === "/") return this.list(url.searchParams);
    const key = decodeURIComponent(url.pathname.slice(1));
    switch (request.method) {
      case "GET": {
        const { row, status } = await this.read(key);
        if (!row) return new Response(null, { status });
        const headers = new Headers();
        if (row.metadata !== null) headers.set("CF-KV-Metadata", row.metadata);
        if (row.expiration !== null) headers.set("CF-Expiration", String(row.expiration));
        return new Response(row.value, { headers });
      }
      case "PUT": {
        this.counts.writes++;
        const status = await this.suffer("put", key);
        if (status) return new Response(null, { status });
        const ttl = url.searchParams.get("expiration_ttl");
        const expiration = ttl ? seconds() + Number(ttl) : url.searchParams.get("expiration");
        const metadata = request.headers.get("CF-KV-Metadata");
        this.put(key, await request.arrayBuffer(), metadata, expiration && Number(expiration));
        return new Response(null);
      }
      case "DELETE": {
        this.counts.deletes++;
        const status = await this.suffer("delete", key);
        if (status) return new Response(null, { status });
        this.delete(key);
        return new Response(null);
      }
      default:
        return new Response(null, { status: 405 });
    }
  }

  // A row as the outside sees it, faults applied; or a status in its place.
  async read(key) {
    this.counts.reads++;
    if (this.counts.keys.size < COUNTED_KEYS || this.counts.keys.has(key)) {
      this.counts.keys.set(key, (this.counts.keys.get(key) ?? 0) + 1);
    }
    const fault = this.faults.take("get", key);
    await pause(fault);
    if (fault?.kind === "error") return { status: fault.status ?? 500 };
    if (fault?.kind === "miss") return { status: 404 };
    const row = this.get(key);
    if (!row) return { status: 404 };
    const value = new Uint8Array(row.value);
    switch (fault?.kind) {
      case "garbage":
        crypto.getRandomValues(value.subarray(0, 65536));
        break;
      case "flip":
        value[fault.at ?? value.length >> 1] ^= 1;
        break;
      case "truncate":
        return { row: { ...row, value: value.slice(0, value.length >> 1) } };
    }
    return { row: { ...row, value } };
  }

  // Waits or fails as a fault says; a status, if the operation is to fail.
  async suffer(op, key) {
    const fault = this.faults.take(op, key);
    await pause(fault);
    return fault?.kind === "error" ? (fault.status ?? 500) : undefined;
  }

  async bulk(path, { keys, type, withMetadata }) {
    if (path === "/bulk/delete") {
      for (const key of keys) {
        this.counts.deletes++;
        this.delete(key);
      }
      return new Response(null);
    }
    if (path !== "/bulk/get") return new Response(null, { status: 404 });
    const found = {};
    for (const key of keys) {
      const { row, status } = await this.read(key);
      if (!row && status !== 404) return new Response(null, { status });
      found[key] = null;
      if (!row) continue;
      const text = new TextDecoder().decode(row.value);
      const value = type === "json" ? JSON.parse(text) : text;
      found[key] = withMetadata ? { value, metadata: row.metadata && JSON.parse(row.metadata) } : value;
    }
    return Response.json(found);
  }

  async list(query) {
    this.counts.lists++;
    const prefix = query.get("prefix") ?? "";
    const status = await this.suffer("list", prefix);
    if (status) return new Response(null, { status });
    const limit = Math.min(Number(query.get("key_count_limit") ?? 1000), 1000);
    return Response.json(this.page(prefix, limit, query.get("cursor") ?? ""));
  }

  page(prefix, limit, cursor) {
    const rows = this.sql
      .exec(
        `SELECT key AS name, metadata, expiration FROM rows
         WHERE key > ? AND substr(key, 1, length(?)) = ? AND key >= ?
           AND (expiration IS NULL OR expiration > ?) ORDER BY key LIMIT ?`,
        cursor, prefix, prefix, prefix, seconds(), limit + 1,
      )
      .toArray();
    const complete = rows.length <= limit;
    const keys = rows.slice(0, limit).map(({ name, metadata, expiration }) => ({
      name,
      ...(expiration !== null && { expiration }),
      ...(metadata !== null && { metadata }),
    }));
    return complete
      ? { keys, list_complete: true, cacheStatus: null }
      : { keys, list_complete: false, cursor: keys.at(-1).name, cacheStatus: null };
  }

  get(key) {
    return this.sql
      .exec(
        "SELECT value, metadata, expiration FROM rows WHERE key = ? AND (expiration IS NULL OR expiration > ?)",
        key, seconds(),
      )
      .toArray()[0];
  }

  put(key, value, metadata = null, expiration = null) {
    this.sql.exec("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", key, value, metadata, expiration);
  }

  delete(key) {
    this.sql.exec("DELETE FROM rows WHERE key = ?", key);
  }

  // What follows is called by control.mjs: neither counted nor faulty.

  peek(key) {
    return this.get(key)?.value;
  }

  // Rows as JSON lines or as one JSON array, all in one transaction.
  putMany(text) {
    const rows = text.trimStart().startsWith("[")
      ? JSON.parse(text)
      : text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    this.ctx.storage.transactionSync(() => {
      for (const { key, value, metadata, expiration } of rows) {
        this.put(key, Uint8Array.fromBase64(value), metadata && JSON.stringify(metadata), expiration);
      }
    });
    return rows.length;
  }

  clear() {
    this.sql.exec("DELETE FROM rows");
  }

  count() {
    return this.sql.exec("SELECT count(*) AS n FROM rows").one().n;
  }

  readCounts(withKeys) {
    const { keys, ...counts } = this.counts;
    return withKeys ? { ...counts, keys: Object.fromEntries(keys) } : counts;
  }

  resetCounts() {
    this.counts = { reads: 0, writes: 0, deletes: 0, lists: 0, keys: new Map() };
  }

  readFaults() {
    return this.faults.read();
  }

  setFaults(faults) {
    this.faults.set(faults);
  }
}

const seconds = () => Math.floor(Date.now() / 1000);

const COUNTED_KEYS = 10_000;
