// The control service of the local KV and of the chaotic origin. Plain JSON, loopback only.
//
//   GET    /counts[?keys=1]  {"kv": {reads, writes, deletes, lists, keys?: {key: reads}}, "origin": {requests}}
//   POST   /counts/reset
//   GET    /kv/<key>         the row's bytes | 404        (not counted, no faults; so are the next four)
//   PUT    /kv/<key>         body = the row's bytes
//   DELETE /kv/<key>
//   POST   /kv               rows in one transaction: JSON lines or one JSON array of
//                            {"key", "value": base64, "metadata"?: any, "expiration"?: epoch seconds}
//                            -> {"rows": n}; keep a batch under 16 MiB
//   GET    /kv               {"rows": n}
//   DELETE /kv               all rows
//   POST   /workspace/<number>[?wait=1]   body = a call (src/workspace/text.rs) -> its answer
//   GET    /workspace/<number>/counts     {calls, words: {word: calls}, ids: [of admit calls], statements, rowsWritten}
//   POST   /workspace/<number>/counts/reset
//   PUT    /workspace/<number>/faults     FAULT | [FAULT…], see object.mjs
//   DELETE /workspace/<number>/alarm      as a runtime does that has given up
//   GET    /workspace/<number>/rows       [{name, value}…]
//   PUT    /workspace/<number>/rows       the same, stored beside those it has
//   GET    /workspace/<number>/tables     how many tables it has
//   *      /authority/<path>              a request of the Worker that holds the Workspaces -> its answer
//   GET    /points           takes the points that gates wrote: [{index, blobs, doubles}…], if they are recorded
//   GET    /faults           {"kv": [FAULT…], "origin": [FAULT…]}
//   PUT    /faults           {"kv"?: FAULT | [FAULT…], "origin"?: FAULT | [FAULT…]}; a part that is absent stays
//   DELETE /faults
//
// FAULT: see kv.mjs and chaos.mjs. The origin's part exists with `--chaos` only.

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    // A page in a browser must not be able to reach in here, by rebinding a name either.
    if (request.headers.has("origin") || !/^(127\.0\.0\.1|localhost)$/.test(url.hostname)) {
      return refuse(403, "this port answers programs on this machine only");
    }
    const store = env.STORE.getByName("kv");
    const origin = env.ORIGIN_FAULTS;
    const [, noun, ...rest] = url.pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    try {
      if (noun === "workspace") return await workspace(request, env, rest[0], rest.slice(1).join("/"), url.search);
      if (noun === "points" && env.POINTS) return await env.POINTS.fetch("https://points/");
      if (noun === "authority") return await env.AUTHORITY.fetch(`https://authority/${key}`, request);
      switch (`${request.method} /${noun}${key && (noun === "kv" ? "/<key>" : `/${key}`)}`) {
        case "GET /counts":
          return Response.json({
            kv: await store.readCounts(url.searchParams.has("keys")),
            origin: origin && (await origin.readCounts()),
          });
        case "POST /counts/reset":
          await store.resetCounts();
          await origin?.resetCounts();
          return Response.json({});
        case "GET /kv/<key>": {
          const value = await store.peek(key);
          return value ? new Response(value) : refuse(404, "no such row");
        }
        case "PUT /kv/<key>":
          await store.put(key, await request.arrayBuffer());
          return Response.json({});
        case "DELETE /kv/<key>":
          await store.delete(key);
          return Response.json({});
        case "POST /kv":
          return Response.json({ rows: await store.putMany(await request.text()) });
        case "GET /kv":
          return Response.json({ rows: await store.count() });
        case "DELETE /kv":
          await store.clear();
          return Response.json({});
        case "GET /faults":
          return Response.json({ kv: await store.readFaults(), origin: origin && (await origin.readFaults()) });
        case "PUT /faults": {
          const faults = await request.json();
          if (faults.origin && !origin) return refuse(409, "the origin has faults with --chaos only");
          if (faults.kv) await store.setFaults(faults.kv);
          if (faults.origin) await origin.setFaults(faults.origin);
          return Response.json({});
        }
        case "DELETE /faults":
          await store.setFaults([]);
          await origin?.setFaults([]);
          return Response.json({});
        default:
          return refuse(404, "no such control; see control.mjs");
      }
    } catch (error) {
      return refuse(400, String(error?.message ?? error));
    }
  },
};

async function workspace(request, env, number, what, query) {
  const stub = env.WORKSPACE.get(env.WORKSPACE.idFromName(number));
  switch (`${request.method} ${what}`) {
    case "POST ":
      return stub.fetch("https://workspace/" + query, { method: "POST", body: await request.text() });
    case "GET counts":
      return Response.json(await stub.readCounts());
    case "POST counts/reset":
      await stub.resetCounts();
      return Response.json({});
    case "PUT faults":
      await stub.setFaults(await request.json());
      return Response.json({});
    case "DELETE alarm":
      await stub.forgetAlarm();
      return Response.json({});
    case "GET tables":
      return Response.json(await stub.tables());
    case "GET rows":
      return Response.json(await stub.rows());
    case "PUT rows":
      await stub.putRows(await request.json());
      return Response.json({});
    default:
      return refuse(404, "no such control; see control.mjs");
  }
}

const refuse = (status, error) => Response.json({ error }, { status });
