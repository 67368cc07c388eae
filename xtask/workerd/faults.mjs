// Faults shared by the local KV and the chaotic origin: a list; the first that fits is applied.

export class FaultList {
  #faults = [];

  set(faults) {
    const list = Array.isArray(faults) ? faults : faults ? [faults] : [];
    for (const fault of list) {
      if (typeof fault?.kind !== "string") throw new Error("a fault needs a kind");
    }
    this.#faults = list.map((fault) => ({ ...fault }));
  }

  read() {
    return this.#faults;
  }

  // The fault for this operation on this key (of the origin: request on this path), used up by one.
  take(op, key) {
    const fault = this.#faults.find(
      ({ prefix = "", ops = ["get"], count = 1 }) =>
        count > 0 && ops.includes(op) && key.startsWith(prefix),
    );
    if (fault?.count !== undefined) fault.count--;
    return fault;
  }
}

export async function pause(fault) {
  if (fault?.delay_ms) await sleep(fault.delay_ms);
  // A pending timer, or the runtime would notice that nothing can ever wake this up.
  while (fault?.kind === "hang") await sleep(60_000);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
