// When a change is in effect everywhere: counted down.

import { useEffect, useState } from "preact/hooks";
import { now as atServer } from "../api";
import { minute } from "../time";

export function Effect({ by, what }: { by: string; what: string }) {
  const end = Date.parse(by);
  const [now, setNow] = useState(atServer());
  useEffect(() => {
    const tick = setInterval(() => setNow(atServer()), 250);
    return () => clearInterval(tick);
  }, [by]);
  const left = Math.ceil((end - now) / 1000);
  return (
    <p class="effect" role="status">
      {left > 0 ? `${what}. It is in effect everywhere in ${left} s at the latest.` : `${what}, everywhere, since ${minute(by)}.`}
    </p>
  );
}
