// The chaotic origin (`--chaos`): hands each request on to the origin unless a fault fits. A fault is
//
//   {kind, prefix?, count?, delay_ms?, …}
//
//   kind      status ({status, body?}) | redirect ({location, status?: 302}) | delay | hang |
//             refuse (nobody listens) | close ({bytes?: 10}: ends inside the body, which was announced longer) |
//             drip ({bytes?: 10, interval_ms?: 100}: a body a byte at a time)
//   prefix    only targets that start so
//   count     the next so many requests; default all
//   delay_ms  waits first, whatever the kind
//
// Broken HTTP itself (bad chunks, two lengths) needs an origin that speaks raw TCP: see --origin.

import { WorkerEntrypoint } from "cloudflare:workers";
import { FaultList, pause, sleep } from "./faults.mjs";

const faults = new FaultList();
let requests = 0;

export default {
  async fetch(request, env) {
    requests++;
    const fault = faults.take("get", request.url.replace(/^[^:]*:\/\/[^/?]*/, ""));
    await pause(fault);
    switch (fault?.kind) {
      case "status":
        return new Response(fault.body ?? null, { status: fault.status });
      case "redirect":
        return new Response(null, { status: fault.status ?? 302, headers: { location: fault.location } });
      case "refuse":
        return env.CLOSED.fetch(request);
      case "close":
        return new Response(dripping(fault.bytes ?? 10, 0, (fault.bytes ?? 10) + 1000));
      case "drip":
        return new Response(dripping(fault.bytes ?? 10, fault.interval_ms ?? 100, fault.bytes ?? 10));
      default:
        return env.ORIGIN.fetch(request);
    }
  },
};

export class Faults extends WorkerEntrypoint {
  readFaults() {
    return faults.read();
  }

  setFaults(list) {
    faults.set(list);
  }

  readCounts() {
    return { requests };
  }

  resetCounts() {
    requests = 0;
  }
}

// `bytes` bytes one by one in a body announced to have `length`; cut off if it has more.
function dripping(bytes, interval, length) {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  (async () => {
    for (let sent = 0; sent < bytes; sent++) {
      await writer.write(new Uint8Array([0x2e]));
      if (interval) await sleep(interval);
    }
    await (bytes === length ? writer.close() : writer.abort(new Error("closed early")));
  })().catch(() => {});
  return readable;
}
